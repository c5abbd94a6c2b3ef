//! Operations fused with batch norm. Plain data, for any tensor type.

/// The operation applied to a normalised value before it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epilogue<T> {
    /// The identity.
    Nothing,
    /// max(·, 0), with gradient 0 at 0, as in torch.
    Relu,
    /// max(· + residual, 0); the residual has the shape of the normalised value.
    AddRelu(T),
}

impl<T> Epilogue<T> {
    /// The same operation with `residual` applied to the residual.
    pub fn map<U>(self, residual: impl FnOnce(T) -> U) -> Epilogue<U> {
        match self {
            Self::Nothing => Epilogue::Nothing,
            Self::Relu => Epilogue::Relu,
            Self::AddRelu(tensor) => Epilogue::AddRelu(residual(tensor)),
        }
    }

    /// The same operation with the residual by reference.
    pub fn as_ref(&self) -> Epilogue<&T> {
        match self {
            Self::Nothing => Epilogue::Nothing,
            Self::Relu => Epilogue::Relu,
            Self::AddRelu(residual) => Epilogue::AddRelu(residual),
        }
    }

    /// The residual, if one is added.
    pub fn residual(&self) -> Option<&T> {
        match self {
            Self::Nothing | Self::Relu => None,
            Self::AddRelu(residual) => Some(residual),
        }
    }
}

//! The operations fused with batch norm. Data only, for tensors of any kind.

/// Applied to a normalised value before it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epilogue<T> {
    /// Nothing.
    Nothing,
    /// max(·, 0), with torch's gradient at 0, which is 0.
    Relu,
    /// max(· + residual, 0); the residual has the shape of the normalised value.
    AddRelu(T),
}

impl<T> Epilogue<T> {
    /// The same with another residual.
    pub fn map<U>(self, residual: impl FnOnce(T) -> U) -> Epilogue<U> {
        match self {
            Self::Nothing => Epilogue::Nothing,
            Self::Relu => Epilogue::Relu,
            Self::AddRelu(tensor) => Epilogue::AddRelu(residual(tensor)),
        }
    }

    /// The same by reference.
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

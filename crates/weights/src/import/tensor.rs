//! A tensor to be imported: its name in this project, and how its values are read from the file.

use crate::error::WeightsError;
use crate::file::WeightsFile;

/// A tensor of a file under its name in this project's models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportTensor {
    /// torchvision's or timm's name of a backbone's tensor, `projector.N.…` of a projector's.
    pub name: String,
    /// Shape in torch's layout.
    pub shape: Vec<usize>,
    /// Name in the file.
    pub from: String,
    /// A tensor of the same shape in the file that is subtracted: the bias of a linear layer, from the running mean of the norm
    /// behind it, which is the same function.
    pub minus: Option<String>,
}

impl ImportTensor {
    /// Reads the values as f32, in row-major order. Those of f32, f16 and bf16 are exact.
    ///
    /// # Errors
    /// If the file changed since it was opened.
    pub fn read(&self, file: &WeightsFile) -> Result<Vec<f32>, WeightsError> {
        let mut values = file.read_f32(&self.from)?;
        if let Some(minus) = &self.minus {
            let bias = file.read_f32(minus)?;
            values.iter_mut().zip(bias).for_each(|(value, bias)| *value -= bias);
        }
        Ok(values)
    }
}

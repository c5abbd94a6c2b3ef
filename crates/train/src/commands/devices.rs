//! `devices`: every backend that is built in, and every device that is there.

use barlow_train::backend::{BackendChoice, probe_all, select};
use barlow_train::console::print_result;
use barlow_train::error::AppError;

/// Prints a line a device, a line for what is missing, and what `auto` takes.
///
/// # Errors
/// [`AppError::Usage`] when no backend can be used at all.
pub fn run() -> Result<(), AppError> {
    for (backend, probe) in probe_all() {
        match probe {
            Err(error) => print_result(&format!("{backend:5}  {error}")),
            Ok(Err(missing)) => print_result(&format!("{backend:5}  {missing}")),
            Ok(Ok(found)) => {
                for (number, device) in found.iter().enumerate() {
                    let kind = if device.software { ", software" } else { "" };
                    print_result(&format!("{backend:5}  --device {number}: {}{kind}", device.name));
                }
            }
        }
    }
    let auto = select(BackendChoice::Auto, None).map_err(AppError::usage)?;
    print_result(&format!("auto takes {auto}"));
    Ok(())
}

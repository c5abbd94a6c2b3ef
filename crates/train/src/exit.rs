//! The exit codes, and the mapping from errors.

use barlow_engine::error::RunError;

/// Exit code of success.
pub const EXIT_DONE: u8 = 0;
/// Exit code of a run that failed while running.
pub const EXIT_FAILED: u8 = 1;
/// Exit code for an invalid command line, an invalid config or an unavailable backend.
pub const EXIT_USAGE: u8 = 2;
/// Exit code of a run that was interrupted and wrote a checkpoint.
pub const EXIT_INTERRUPTED: u8 = 130;

/// The exit code of an error.
pub fn exit_code(error: &RunError) -> u8 {
    match error.kind() {
        RunError::Usage(_) => EXIT_USAGE,
        RunError::Failed(_) | RunError::OnAnotherRank(_) => EXIT_FAILED,
        RunError::Interrupted(_) => EXIT_INTERRUPTED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_two_and_interrupted_is_130() {
        assert_eq!(exit_code(&RunError::usage("x")), 2);
        assert_eq!(exit_code(&RunError::Failed(anyhow::anyhow!("x"))), 1);
        assert_eq!(exit_code(&RunError::Interrupted(String::new())), 130);
    }
}

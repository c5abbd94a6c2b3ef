//! The one place where a failure becomes an exit code.
//!
//! Libraries return their own typed errors; here they are sorted into "what was asked cannot be" (exit 2) and "it failed
//! while running" (exit 1), which is all that a script around the program needs to know.

use std::fmt;

/// Exit code of a run that did what was asked.
pub const EXIT_DONE: u8 = 0;
/// Exit code of a run that failed while running.
pub const EXIT_FAILED: u8 = 1;
/// Exit code for a wrong command line, a wrong config or a backend that is not there.
pub const EXIT_USAGE: u8 = 2;
/// Exit code of a run that was interrupted and wrote a checkpoint.
pub const EXIT_INTERRUPTED: u8 = 130;

/// Why the program stops.
#[derive(Debug)]
pub enum AppError {
    /// The command line, the config or the machine does not allow what was asked; nothing was started.
    Usage(anyhow::Error),
    /// The work was started and failed.
    Failed(anyhow::Error),
    /// Ctrl-C or SIGTERM; a checkpoint was written.
    Interrupted(String),
}

impl AppError {
    /// A usage error from anything that prints as one clear line.
    pub fn usage(message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self::Usage(anyhow::Error::msg(message))
    }

    /// The exit code that belongs to the error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => EXIT_USAGE,
            Self::Failed(_) => EXIT_FAILED,
            Self::Interrupted(_) => EXIT_INTERRUPTED,
        }
    }

    /// The line for the person; with `verbose` every cause on a line of its own.
    pub fn render(&self, verbose: bool) -> String {
        match self {
            Self::Usage(error) | Self::Failed(error) => {
                let causes = distinct_causes(error);
                if verbose {
                    causes
                        .iter()
                        .map(|cause| format!("error: {cause}"))
                        .collect::<Vec<_>>()
                        .join("\n")
                } else {
                    one_line(&format!("error: {}", causes.join(": ")))
                }
            }
            Self::Interrupted(message) => message.clone(),
        }
    }
}

impl From<anyhow::Error> for AppError {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// The texts of the chain; libraries that name a cause in their own text and hand it out as well would tell it twice.
fn distinct_causes(error: &anyhow::Error) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        if causes.last().is_none_or(|last| !last.contains(&cause)) {
            causes.push(cause);
        }
    }
    causes
}

/// Folds the line breaks of a foreign message into spaces: a script reads the last line of standard error.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The paragraphs of a command line parser's message on one line, without the usage, which `--help` shows.
pub fn usage_line(message: &str) -> String {
    let paragraphs = message.split("\n\n").map(one_line);
    let kept: Vec<String> = paragraphs
        .filter(|text| !text.is_empty() && !text.starts_with("Usage:") && !text.starts_with("For more information"))
        .collect();
    format!("{}; see --help", kept.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_usage_message_of_several_paragraphs_is_one_line() {
        let message = "error: unexpected argument '--epoch' found\n\n  tip: a similar argument exists: '--epochs'\n\n\
                       Usage: train [OPTIONS]\n\nFor more information, try '--help'.\n";
        assert_eq!(
            usage_line(message),
            "error: unexpected argument '--epoch' found; tip: a similar argument exists: '--epochs'; see --help"
        );
    }

    #[test]
    fn a_chain_is_one_line_unless_verbose() {
        let chain = Err::<(), _>(anyhow::anyhow!("no space\nleft"))
            .context("cannot write x")
            .unwrap_err();
        let error = AppError::Failed(chain);
        assert_eq!(error.render(false), "error: cannot write x: no space left");
        assert_eq!(error.render(true), "error: cannot write x\nerror: no space\nleft");
        assert_eq!(error.exit_code(), 1);
    }

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow::anyhow!("no space").context("cannot write x: no space");
        assert_eq!(AppError::Failed(error).render(true), "error: cannot write x: no space");
    }

    #[test]
    fn usage_is_two_and_interrupted_is_130() {
        assert_eq!(AppError::usage("x").exit_code(), 2);
        assert_eq!(AppError::Interrupted(String::new()).exit_code(), 130);
    }
}

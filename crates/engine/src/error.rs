//! The error of a run: a request that cannot be met, a failure while running, or an interruption.
//!
//! Library crates return their own typed errors; here they are sorted by what a caller needs to know. The program maps them to
//! exit codes.

use std::fmt;

/// Why a run stops.
#[derive(Debug)]
pub enum RunError {
    /// The command line, the config, the data or the machine does not allow the request; nothing was started.
    Usage(anyhow::Error),
    /// The work was started and failed.
    Failed(anyhow::Error),
    /// The run was asked to stop; a checkpoint was written.
    Interrupted(String),
    /// Another rank of the run failed or was interrupted, and prints it.
    OnAnotherRank(Box<RunError>),
}

impl RunError {
    /// A usage error from any error whose message is one clear line.
    pub fn usage(message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self::Usage(anyhow::Error::msg(message))
    }

    /// The error itself, whichever rank it occurred on.
    pub fn kind(&self) -> &Self {
        match self {
            Self::OnAnotherRank(error) => error.kind(),
            error => error,
        }
    }

    /// The message for the user on one line; with `verbose` every cause on a separate line.
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
            Self::OnAnotherRank(error) => error.render(verbose),
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) | Self::Failed(error) => f.write_str(&one_line(&distinct_causes(error).join(": "))),
            Self::Interrupted(message) => f.write_str(message),
            Self::OnAnotherRank(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Usage(error) | Self::Failed(error) => error.source(),
            Self::Interrupted(_) => None,
            Self::OnAnotherRank(error) => error.source(),
        }
    }
}

impl From<anyhow::Error> for RunError {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// The messages of the chain without repetition: some libraries include a cause in their message and return it as source, too.
fn distinct_causes(error: &anyhow::Error) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        if causes.last().is_none_or(|last| !last.contains(&cause)) {
            causes.push(cause);
        }
    }
    causes
}

/// Replaces the line breaks of a library's message by spaces: scripts read the last line of standard error.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_chain_is_one_line_unless_verbose() {
        let chain = Err::<(), _>(anyhow::anyhow!("no space\nleft"))
            .context("cannot write x")
            .unwrap_err();
        let error = RunError::Failed(chain);
        assert_eq!(error.render(false), "error: cannot write x: no space left");
        assert_eq!(error.render(true), "error: cannot write x\nerror: no space\nleft");
    }

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow::anyhow!("no space").context("cannot write x: no space");
        assert_eq!(RunError::Failed(error).render(true), "error: cannot write x: no space");
    }
}

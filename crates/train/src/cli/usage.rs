//! What clap has to say, in the program's own manner: help and version on standard output, a mistake as one line.

use super::args::Args;
use barlow_train::console::Console;
use barlow_train::error::{EXIT_DONE, EXIT_USAGE, usage_line};
use clap::{CommandFactory, Parser};
use clap_complete::Shell;
use std::io::Write;
use std::process::ExitCode;

/// Reads the command line, or gives the exit code of a program that has nothing more to do.
pub(super) fn parse() -> Result<Args, ExitCode> {
    Args::try_parse().map_err(|error| {
        if error.use_stderr() {
            Console::new(false).error(&usage_line(&error.render().to_string()));
            return ExitCode::from(EXIT_USAGE);
        }
        // A closed pipe is not an error.
        drop(error.print());
        ExitCode::from(EXIT_DONE)
    })
}

/// Prints the completions of a shell.
pub(super) fn print_completions(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "train", &mut script);
    drop(std::io::stdout().write_all(&script));
}

//! The command line program: `cli` understands what was typed, `commands` put the library's pieces together.
//!
//! The backends are named here and not in the library, because compiling a training step for one of them takes minutes: so it
//! happens once, and not again for the library's unit tests.

mod cli;
mod commands;

fn main() -> std::process::ExitCode {
    cli::main()
}

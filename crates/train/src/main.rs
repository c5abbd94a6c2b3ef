//! The command line program; everything it does is in the library.

fn main() -> std::process::ExitCode {
    barlow_train::cli::main()
}

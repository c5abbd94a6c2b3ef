//! The command line program: `cli` understands what was typed, `commands` put the library's pieces together.
//!
//! Compiling a training step for a backend takes minutes. The library's code is generic, so it happens here and not again for
//! the library's unit tests.

mod cli;
mod commands;
mod console;
mod exit;
mod stop;

fn main() -> std::process::ExitCode {
    barlow_train::allocator::keep_freed_memory();
    hush_drivers();
    cli::main()
}

/// Mesa's Vulkan drivers try every window system, and Wayland's library complains on standard error where this variable is
/// unset, as on servers.
fn hush_drivers() {
    const FOLDER: &str = "XDG_RUNTIME_DIR";
    if cfg!(unix) && std::env::var_os(FOLDER).is_none() {
        // SAFETY: no other thread exists yet.
        unsafe { std::env::set_var(FOLDER, std::env::temp_dir()) };
    }
}

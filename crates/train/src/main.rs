//! The command line program: `cli` parses the command line, `commands` combine the library's parts.

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

/// Mesa's Vulkan drivers try every window system, and Wayland's library prints an error to standard error if this variable is
/// unset, as on servers.
fn hush_drivers() {
    const FOLDER: &str = "XDG_RUNTIME_DIR";
    if cfg!(unix) && std::env::var_os(FOLDER).is_none() {
        // SAFETY: no other thread exists yet.
        unsafe { std::env::set_var(FOLDER, std::env::temp_dir()) };
    }
}

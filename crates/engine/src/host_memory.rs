//! Memory of this machine and of this process, as the system reports it.

/// Memory of this machine in bytes, where the system reports it.
pub fn physical() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    kibibytes(&text, "MemTotal:")
}

/// The largest resident size that this process has had, in bytes, where the system reports it.
pub fn peak() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    kibibytes(&text, "VmHWM:")
}

/// The number behind `name` in one of the system's tables, in bytes.
fn kibibytes(table: &str, name: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_memory() {
        assert!(physical().is_some_and(|bytes| bytes > 64 << 20));
        assert!(peak() > Some(1 << 20) && peak() < physical());
    }
}

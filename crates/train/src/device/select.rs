//! Selects a device by `--backend` and `--device`.

use super::{BackendChoice, BackendError, Selected};
use barlow_engine::device::{Found, Probe};

/// Probes a backend; the outer error is "not built in".
type ProbeFn = fn() -> Result<Probe, BackendError>;

/// Every backend in the order in which `auto` tries them, with its probe.
const PROBES: [(&str, ProbeFn); 3] = [("cuda", probe_cuda), ("wgpu", probe_wgpu), ("cpu", probe_cpu)];

/// Probes every backend; the outer error is "not built in".
pub fn probe_all() -> Vec<(&'static str, Result<Probe, BackendError>)> {
    PROBES.into_iter().map(|(backend, probe)| (backend, probe())).collect()
}

/// The backends that this program was built with.
pub fn backends() -> Vec<&'static str> {
    let built = [
        ("cuda", cfg!(feature = "cuda")),
        ("wgpu", cfg!(feature = "wgpu")),
        ("cpu", cfg!(feature = "cpu")),
    ];
    built
        .into_iter()
        .filter(|(_, is_built)| *is_built)
        .map(|(name, _)| name)
        .collect()
}

/// Selects a device for `choice`.
///
/// # Errors
/// [`BackendError`]: one line on what was probed and what to do.
pub fn select(choice: BackendChoice, number: Option<usize>) -> Result<Selected, BackendError> {
    match choice {
        BackendChoice::Cuda => select_named("cuda", number),
        BackendChoice::Wgpu => select_named("wgpu", number),
        BackendChoice::Cpu => select_named("cpu", number),
        BackendChoice::Auto => select_auto(number),
    }
}

fn select_named(backend: &'static str, number: Option<usize>) -> Result<Selected, BackendError> {
    let probe = PROBES
        .into_iter()
        .find(|(name, _)| *name == backend)
        .expect("every choice has a probe")
        .1;
    let found = probe()?.map_err(|missing| BackendError::Missing { backend, missing })?;
    take(backend, found, number, "requested by name".into())
}

fn select_auto(number: Option<usize>) -> Result<Selected, BackendError> {
    let mut passed = Vec::new();
    for (backend, probe) in PROBES {
        match probe() {
            Err(_) => passed.push(format!("{backend} is not built in")),
            Ok(Err(missing)) => passed.push(format!("no {backend}: {}", first_clause(&missing))),
            Ok(Ok(mut found)) => {
                // A software adapter is slower than the CPU backend.
                found.retain(|found| !found.software);
                if found.is_empty() {
                    passed.push(format!("{backend} has software adapters only"));
                    continue;
                }
                return take(backend, found, number, format!("auto: {}", describe(backend, &passed)));
            }
        }
    }
    Err(BackendError::Missing {
        backend: "auto",
        missing: passed.join("; "),
    })
}

fn describe(backend: &str, passed: &[String]) -> String {
    if passed.is_empty() {
        format!("{backend} is the fastest available")
    } else {
        passed.join("; ")
    }
}

fn first_clause(missing: &str) -> &str {
    missing.split(';').next().unwrap_or(missing)
}

fn take(
    backend: &'static str,
    mut found: Vec<Found>,
    number: Option<usize>,
    mut reason: String,
) -> Result<Selected, BackendError> {
    let asked = number.unwrap_or(0);
    if asked >= found.len() {
        let names = found
            .iter()
            .map(|found| found.name.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        return Err(BackendError::OutOfRange {
            backend,
            asked,
            count: found.len(),
            names,
        });
    }
    let Found {
        device, name, software, ..
    } = found.swap_remove(asked);
    if software {
        reason.push_str("; a software adapter, slower than --backend cpu");
    }
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    if backend != "cpu" {
        barlow_engine::device::save_tuning_in_cache_folder();
    }
    Ok(Selected {
        device,
        backend,
        name,
        reason,
    })
}

#[cfg(feature = "cpu")]
fn probe_cpu() -> Result<Probe, BackendError> {
    Ok(barlow_backend_cpu::probe())
}

#[cfg(not(feature = "cpu"))]
fn probe_cpu() -> Result<Probe, BackendError> {
    Err(BackendError::NotBuilt("cpu"))
}

#[cfg(feature = "wgpu")]
fn probe_wgpu() -> Result<Probe, BackendError> {
    Ok(barlow_backend_wgpu::probe())
}

#[cfg(not(feature = "wgpu"))]
fn probe_wgpu() -> Result<Probe, BackendError> {
    Err(BackendError::NotBuilt("wgpu"))
}

#[cfg(feature = "cuda")]
fn probe_cuda() -> Result<Probe, BackendError> {
    Ok(barlow_backend_cuda::probe())
}

#[cfg(not(feature = "cuda"))]
fn probe_cuda() -> Result<Probe, BackendError> {
    Err(BackendError::NotBuilt("cuda"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "cpu")]
    #[test]
    fn the_cpu_is_always_there_and_has_one_device() {
        let selected = select(BackendChoice::Cpu, Some(0)).unwrap();
        assert_eq!(
            (selected.backend, selected.reason.as_str()),
            ("cpu", "requested by name")
        );
        let error = select(BackendChoice::Cpu, Some(1)).unwrap_err().to_string();
        assert!(error.starts_with("--device 1: cpu has 1 device(s) here"), "{error}");
    }

    #[cfg(feature = "cpu")]
    #[test]
    fn auto_never_fails_where_the_cpu_is_built_in() {
        let selected = select(BackendChoice::Auto, None).unwrap();
        assert!(selected.reason.starts_with("auto: "), "{selected}");
    }
}

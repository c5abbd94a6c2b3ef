//! What launched this process: the variables of `mpirun`, `srun` and `torchrun`.

use std::fmt;
use thiserror::Error;

/// What started the ranks of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launcher {
    /// Open MPI's `mpirun`.
    OpenMpi,
    /// `mpirun` of MPICH, Intel MPI and others.
    Pmi,
    /// Slurm's `srun`, with or without MPI.
    Slurm,
    /// `torchrun`, Kubernetes' PyTorchJob, Ray.
    Torchrun,
}

impl fmt::Display for Launcher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::OpenMpi | Self::Pmi => "mpirun",
            Self::Slurm => "srun",
            Self::Torchrun => "torchrun",
        })
    }
}

/// Variables of a launcher that are no numbers.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the launcher set {name} to {value:?}, which is no number of ranks")]
pub struct LaunchError {
    /// The variable.
    pub name: &'static str,
    /// Its value.
    pub value: String,
}

/// The variables with the number of ranks, in the order in which they are asked. `torchrun` comes before Slurm, in whose jobs it is
/// often started; Slurm's is set in a job's shell, too, so that it counts with the variable of a task alone.
const SIZES: [(Launcher, &str); 5] = [
    (Launcher::OpenMpi, "OMPI_COMM_WORLD_SIZE"),
    (Launcher::Pmi, "MPI_LOCALNRANKS"),
    (Launcher::Pmi, "PMI_SIZE"),
    (Launcher::Torchrun, "WORLD_SIZE"),
    (Launcher::Slurm, "SLURM_STEP_NUM_TASKS"),
];

/// What launched this process and the number of ranks that it was told; `None` for a process that was started by itself. `variable`
/// reads a variable of the environment.
///
/// # Errors
/// If a launcher's variable is no number.
pub fn launched(variable: impl Fn(&str) -> Option<String>) -> Result<Option<(Launcher, usize)>, LaunchError> {
    for (launcher, name) in SIZES {
        let Some(value) = variable(name) else { continue };
        let is_task = match launcher {
            Launcher::Slurm => variable("SLURM_PROCID").is_some(),
            Launcher::Torchrun => variable("RANK").is_some(),
            Launcher::OpenMpi | Launcher::Pmi => true,
        };
        if !is_task {
            continue;
        }
        return match value.trim().parse() {
            Ok(size) if size > 0 => Ok(Some((launcher, size))),
            _ => Err(LaunchError { name, value }),
        };
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Option<(Launcher, usize)>, LaunchError> {
        launched(|name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn launchers_are_known_by_their_variables() {
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[("OMPI_COMM_WORLD_SIZE", "4")]), Ok(Some((Launcher::OpenMpi, 4))));
        assert_eq!(of(&[("PMI_SIZE", "2")]), Ok(Some((Launcher::Pmi, 2))));
        let torchrun = [
            ("WORLD_SIZE", "8"),
            ("RANK", "3"),
            ("SLURM_STEP_NUM_TASKS", "1"),
            ("SLURM_PROCID", "0"),
        ];
        assert_eq!(of(&torchrun), Ok(Some((Launcher::Torchrun, 8))));
        let task = [("SLURM_STEP_NUM_TASKS", "16"), ("SLURM_PROCID", "5")];
        assert_eq!(of(&task), Ok(Some((Launcher::Slurm, 16))));
        // A shell that happens to have a variable of this name.
        assert_eq!(of(&[("WORLD_SIZE", "8")]), Ok(None));
    }

    #[test]
    fn a_number_that_is_none_is_an_error() {
        for value in ["", "0", "-1", "four"] {
            let error = of(&[("OMPI_COMM_WORLD_SIZE", value)]).unwrap_err();
            assert!(error.to_string().contains("OMPI_COMM_WORLD_SIZE"), "{error}");
        }
    }
}

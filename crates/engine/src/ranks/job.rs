//! The job that a launcher such as `mpirun` has started this process for.

use crate::error::RunError;
use barlow_group::{Alone, Group, Launcher, launched};
use std::sync::Arc;
use std::time::Duration;

/// How long a process whose error the others may not know of waits for them before it ends the job.
#[cfg(feature = "mpi")]
const GRACE: Duration = Duration::from_secs(3);

/// This process's place in a job.
#[derive(Clone, Debug)]
pub struct Job {
    group: Arc<dyn Group>,
    #[cfg(feature = "mpi")]
    mpi: Option<barlow_group::Mpi>,
}

impl Job {
    /// A process that was started by itself.
    pub fn alone() -> Self {
        Self {
            group: Arc::new(Alone::default()),
            #[cfg(feature = "mpi")]
            mpi: None,
        }
    }

    /// Joins the other processes of the launcher that started this one, if any; `timeout` is how long a call waits for them.
    /// `variable` reads a variable of the environment.
    ///
    /// # Errors
    /// [`RunError::Usage`] if there are other processes and this program cannot talk to them.
    pub fn join(timeout: Duration, variable: impl Fn(&str) -> Option<String>) -> Result<Self, RunError> {
        match launched(variable).map_err(RunError::usage)? {
            None | Some((_, 1)) => Ok(Self::alone()),
            Some((launcher, size)) => Self::join_mpi(launcher, size, timeout),
        }
    }

    #[cfg(feature = "mpi")]
    fn join_mpi(launcher: Launcher, size: usize, timeout: Duration) -> Result<Self, RunError> {
        if launcher == Launcher::Torchrun {
            return Err(RunError::usage(format!(
                "torchrun started {size} ranks, which this program cannot connect without MPI; start them with mpirun or srun --mpi=pmix"
            )));
        }
        let mpi = barlow_group::Mpi::start(timeout).map_err(RunError::usage)?;
        let found = mpi.place().size;
        if found != size {
            return Err(RunError::usage(format!(
                "{launcher} started {size} ranks and MPI connects {found} of them; use the mpirun of the MPI library that this program \
                 was built with, or srun --mpi=pmix"
            )));
        }
        Ok(Self {
            group: Arc::new(mpi.clone()),
            mpi: Some(mpi),
        })
    }

    #[cfg(not(feature = "mpi"))]
    fn join_mpi(launcher: Launcher, size: usize, _: Duration) -> Result<Self, RunError> {
        Err(RunError::usage(format!(
            "{launcher} started {size} ranks, and this program was built without MPI; build it with --features mpi, or start it without \
             {launcher}"
        )))
    }

    /// The rank of this process.
    pub fn group(&self) -> &Arc<dyn Group> {
        &self.group
    }

    /// The line of an error with the rank it occurred on; `None` if another rank prints it.
    pub fn error_line(&self, error: &RunError, verbose: bool) -> Option<String> {
        if matches!(error, RunError::OnAnotherRank(_)) {
            return None;
        }
        let line = error.render(verbose);
        let place = self.group.place();
        let known = line.contains(&format!("[{place}]"));
        Some(match (place.size, line.strip_prefix("error: ")) {
            (1, _) => line,
            _ if known => line,
            (_, Some(rest)) => format!("error: [{place}] {rest}"),
            (_, None) => format!("[{place}] {line}"),
        })
    }

    /// Leaves the job at the end of this process, whose exit code will be `code`. After an error of this rank alone the others are
    /// ended, as they wait for it.
    pub fn leave(&self, failed: bool, code: u8) {
        #[cfg(feature = "mpi")]
        if let Some(mpi) = &self.mpi {
            if failed {
                std::thread::spawn(move || {
                    std::thread::sleep(GRACE);
                    // The launcher ends the other processes.
                    std::process::exit(i32::from(code));
                });
            }
            mpi.finalize();
        }
        #[cfg(not(feature = "mpi"))]
        let _ = (failed, code);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(variables: &[(&str, &str)]) -> Result<Job, RunError> {
        Job::join(Duration::from_secs(1), |name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_process_by_itself_is_alone() {
        assert!(join(&[]).unwrap().group().is_alone());
        assert!(join(&[("OMPI_COMM_WORLD_SIZE", "1")]).unwrap().group().is_alone());
    }

    #[test]
    fn ranks_that_cannot_be_connected_are_refused_in_one_line() {
        let error = join(&[("RANK", "0"), ("WORLD_SIZE", "4")]).unwrap_err().to_string();
        assert!(error.starts_with("torchrun started 4 ranks"), "{error}");
        let error = join(&[("OMPI_COMM_WORLD_SIZE", "many")]).unwrap_err().to_string();
        assert!(error.contains("OMPI_COMM_WORLD_SIZE"), "{error}");
    }

    #[test]
    fn an_error_names_its_rank_once() {
        let job = Job::alone();
        assert_eq!(job.error_line(&RunError::usage("x"), false).unwrap(), "error: x");
        let of_other = RunError::OnAnotherRank(Box::new(RunError::usage("x")));
        assert_eq!(job.error_line(&of_other, false), None);
        let [_, second] = <[Arc<dyn Group>; 2]>::try_from(barlow_group::Threads::new(2).ranks()).unwrap();
        let mut job = Job::alone();
        job.group = second;
        let line = |error: &RunError| job.error_line(error, false).unwrap();
        assert_eq!(line(&RunError::usage("x")), "error: [rank 1 of 2 on localhost] x");
        assert_eq!(
            line(&RunError::usage("[rank 1 of 2 on localhost] y")),
            "error: [rank 1 of 2 on localhost] y"
        );
        let stopped = RunError::Interrupted("stopped".to_owned());
        assert_eq!(line(&stopped), "[rank 1 of 2 on localhost] stopped");
    }
}

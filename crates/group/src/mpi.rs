//! The processes of an MPI job.
//!
//! MPI's own error handling ends the job when a process dies, so that a call never returns an error. What MPI does not notice is a
//! process that is alive and does not come: a thread watches how long a call takes, and ends this process, and so the job, when it
//! takes too long.

use crate::{Fault, Group, GroupError, Place, Summands};
use mpi::collective::SystemOperation;
use mpi::datatype::{Equivalence, PartitionMut};
use mpi::environment::{Threading, Universe, initialize_with_threading, processor_name};
use mpi::request::scope;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives, Root};
use std::io::Write;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most values of one of MPI's calls, whose counts are 32-bit integers.
const MOST: usize = 1 << 24;
/// How often a rank that waits for rank 0 asks whether it is done. MPI itself would keep a core busy.
const POLL: Duration = Duration::from_millis(2);
/// How often the watching thread looks.
const WATCH: Duration = Duration::from_millis(500);

/// One process of an MPI job.
#[derive(Clone, Debug)]
pub struct Mpi {
    place: Place,
    shared: Arc<Shared>,
    communicator: Handle,
    node: (Handle, Place),
}

/// What the groups of one process share.
struct Shared {
    /// Taken and dropped by [`Mpi::finalize`]; never dropped otherwise, because that waits for the other processes.
    universe: Mutex<Option<ManuallyDrop<Universe>>>,
    started: Instant,
    /// Milliseconds since `started` at which the call that is being made began, plus 1; 0 outside of calls with a time limit.
    since: AtomicU64,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "MPI")
    }
}

/// A communicator.
#[derive(Clone, Debug)]
struct Handle(Arc<Communicating>);

impl Handle {
    fn new(communicator: SimpleCommunicator) -> Self {
        Self(Arc::new(Communicating(ManuallyDrop::new(communicator))))
    }
}

/// Never freed: that would be an error after the job was left, and the process ends then anyway.
struct Communicating(ManuallyDrop<SimpleCommunicator>);

impl std::fmt::Debug for Communicating {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "communicator of {} processes", self.0.size())
    }
}

// SAFETY: a communicator is a handle to an object of the MPI library, which any thread may use if the calls are made one after the
// other: MPI was initialised for that, and every call is made under the lock of `Shared::universe`.
unsafe impl Send for Communicating {}
// SAFETY: as above.
unsafe impl Sync for Communicating {}

impl Mpi {
    /// Joins the job that a launcher has started. `timeout` is how long a call waits for the other processes before this one ends
    /// the job.
    ///
    /// # Errors
    /// [`Fault::Transport`] if MPI was initialised before, or cannot be used from several threads.
    pub fn start(timeout: Duration) -> Result<Self, GroupError> {
        let alone = |line: &str| GroupError {
            place: Place::alone(),
            fault: Fault::Transport(line.to_owned()),
        };
        let Some((universe, threading)) = initialize_with_threading(Threading::Serialized) else {
            return Err(alone("MPI was initialised by another part of this process"));
        };
        if threading < Threading::Serialized {
            return Err(alone(
                "the MPI library cannot be used from several threads; use one with MPI_THREAD_SERIALIZED",
            ));
        }
        let world = universe.world();
        // The communicator of the world itself cannot be kept: it must not be freed.
        let world = world.duplicate();
        let local = world.split_shared(world.rank());
        let host = processor_name().unwrap_or_else(|_| "?".to_owned());
        let number = |rank: i32| usize::try_from(rank).expect("ranks are not negative");
        let place = |rank, size| Place {
            rank: number(rank),
            size: number(size),
            local_rank: number(local.rank()),
            local_size: number(local.size()),
            host: host.clone(),
        };
        let whole = place(world.rank(), world.size());
        let of_node = place(local.rank(), local.size());
        let shared = Arc::new(Shared {
            universe: Mutex::new(Some(ManuallyDrop::new(universe))),
            started: Instant::now(),
            since: AtomicU64::new(0),
        });
        watch(Arc::clone(&shared), whole.clone(), timeout);
        Ok(Self {
            place: whole,
            shared,
            communicator: Handle::new(world),
            node: (Handle::new(local), of_node),
        })
    }

    /// Leaves the job in order. Every process must call it, because it waits for the others; there must be no call after it. A
    /// process that fails by itself calls [`Group::abort`] instead.
    pub fn finalize(&self) {
        if let Some(universe) = self.lock().take() {
            drop(ManuallyDrop::into_inner(universe));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<ManuallyDrop<Universe>>> {
        self.shared.universe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call under the lock, watched if it has a time limit.
    fn call<T>(&self, limited: bool, call: impl FnOnce(&SimpleCommunicator) -> T) -> Result<T, GroupError> {
        let universe = self.lock();
        if universe.is_none() {
            return Err(self.error("a call after the job was left".to_owned()));
        }
        if limited {
            let now = u64::try_from(self.shared.started.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
            self.shared.since.store(now + 1, Ordering::SeqCst);
        }
        let result = call(&self.communicator.0.0);
        self.shared.since.store(0, Ordering::SeqCst);
        Ok(result)
    }

    fn error(&self, line: String) -> GroupError {
        GroupError {
            place: self.place.clone(),
            fault: Fault::Transport(line),
        }
    }

    fn sum_of<T: Equivalence + Copy>(&self, values: &mut [T]) -> Result<(), GroupError> {
        self.call(true, |world| {
            for part in values.chunks_mut(MOST) {
                let own = part.to_vec();
                world.all_reduce_into(&own[..], part, SystemOperation::sum());
            }
        })
    }
}

impl Group for Mpi {
    fn place(&self) -> &Place {
        &self.place
    }

    fn sum(&self, values: Summands<'_>) -> Result<(), GroupError> {
        match values {
            Summands::F32(values) => self.sum_of(values),
            Summands::F64(values) => self.sum_of(values),
            Summands::U64(values) => self.sum_of(values),
        }
    }

    fn gather(&self, own: &[f32], counts: &[usize]) -> Result<Vec<f32>, GroupError> {
        self.place.assert_counts(own.len(), counts);
        let total: usize = counts.iter().sum();
        if i32::try_from(total).is_err() {
            return Err(self.error(format!("{total} gathered values are more than MPI can count")));
        }
        let counts: Vec<i32> = counts.iter().map(|&count| count as i32).collect();
        let starts = counts.iter().scan(0, |next, count| {
            *next += count;
            Some(*next - count)
        });
        let starts: Vec<i32> = starts.collect();
        let mut all = vec![0.0f32; total];
        self.call(true, |world| {
            world.all_gather_varcount_into(own, &mut PartitionMut::new(&mut all[..], counts, starts));
        })?;
        Ok(all)
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<(), GroupError> {
        self.call(false, |world| {
            let first = world.process_at_rank(0);
            let mut length = [bytes.len() as u64];
            scope(|scope| {
                let mut request = first.immediate_broadcast_into(scope, &mut length[..]);
                while let Err(unfinished) = request.test() {
                    request = unfinished;
                    std::thread::sleep(POLL);
                }
            });
            bytes.resize(length[0] as usize, 0);
            for part in bytes.chunks_mut(MOST) {
                first.broadcast_into(part);
            }
        })
    }

    fn node(&self) -> Arc<dyn Group> {
        let (communicator, place) = self.node.clone();
        Arc::new(Self {
            place: place.clone(),
            shared: Arc::clone(&self.shared),
            communicator: communicator.clone(),
            node: (communicator, place),
        })
    }

    fn abort(&self) {
        self.communicator.0.0.abort(1);
    }
}

/// Ends this process, and so the job, when a call has taken too long.
fn watch(shared: Arc<Shared>, place: Place, timeout: Duration) {
    let watching = move || {
        loop {
            std::thread::sleep(WATCH.min(timeout));
            let since = shared.since.load(Ordering::SeqCst);
            if since == 0 {
                continue;
            }
            let waited = shared
                .started
                .elapsed()
                .saturating_sub(Duration::from_millis(since - 1));
            // The call may have returned and another one begun.
            if waited > timeout && shared.since.load(Ordering::SeqCst) == since {
                let seconds = timeout.as_secs();
                let line = format!(
                    "error: [{place}] waited {seconds} s for the other ranks; one of them hangs, or needs a longer --timeout; the run is \
                     saved up to its last checkpoint (--resume)"
                );
                drop(writeln!(std::io::stderr(), "{line}"));
                // Not `exit`, whose handlers may wait for the call.
                std::process::abort();
            }
        }
    };
    // Without the thread the job has no time limit, which is no reason to fail.
    drop(std::thread::Builder::new().name("mpi-watch".to_owned()).spawn(watching));
}

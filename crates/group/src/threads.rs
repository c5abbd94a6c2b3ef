//! Ranks that are threads of one process.
//!
//! Every call is an exchange: each rank lays down its values, and the last one to come publishes all of them. Each rank then adds
//! them up by itself, in the order of the ranks, so that the bytes are equal everywhere and depend on no timing.

use crate::{Fault, Group, GroupError, Place, Summands};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a call waits for the others if nothing else is set.
const TIMEOUT: Duration = Duration::from_secs(600);

/// Ranks that are threads of this process.
#[derive(Clone, Copy, Debug)]
pub struct Threads {
    size: usize,
    per_node: usize,
    timeout: Duration,
}

/// A rank that panicked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The rank.
    pub rank: usize,
    /// Its panic's message.
    pub message: String,
}

impl Threads {
    /// `size` ranks on one node, with a time limit of 600 s.
    ///
    /// # Panics
    /// If `size` is 0.
    pub fn new(size: usize) -> Self {
        assert!(size > 0, "a group of no ranks");
        Self {
            size,
            per_node: size,
            timeout: TIMEOUT,
        }
    }

    /// As if on several nodes of `ranks` ranks each; the last one may have fewer.
    ///
    /// # Panics
    /// If `ranks` is 0.
    pub fn with_ranks_per_node(self, ranks: usize) -> Self {
        assert!(ranks > 0, "a node of no ranks");
        Self {
            per_node: ranks,
            ..self
        }
    }

    /// How long a call waits for the others.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The ranks, to be moved to a thread each. A rank that is dropped has ended.
    pub fn ranks(self) -> Vec<Arc<dyn Group>> {
        let members = self.members();
        members
            .into_iter()
            .map(|member| Arc::new(member) as Arc<dyn Group>)
            .collect()
    }

    /// Runs `work` once for each rank, each on a thread of its own, and returns the results in the order of the ranks. A rank that
    /// returns or panics has ended: calls of the others that wait for it fail.
    pub fn run<T: Send>(self, work: impl Fn(Arc<dyn Group>) -> T + Sync) -> Vec<Result<T, Lost>> {
        let work = &work;
        let of_rank = |member: Member| {
            move || {
                let rank = member.place.rank;
                let end = member.clone();
                let result = catch_unwind(AssertUnwindSafe(|| work(Arc::new(member))));
                // Here and not only when the last clone is dropped: a graph that was not computed to its end may hold one.
                end.end();
                result.map_err(|payload| Lost {
                    rank,
                    message: message(&*payload),
                })
            }
        };
        std::thread::scope(|scope| {
            let started: Vec<_> = self
                .members()
                .into_iter()
                .map(|member| {
                    let named = std::thread::Builder::new().name(format!("rank-{}", member.place.rank));
                    named
                        .spawn_scoped(scope, of_rank(member))
                        .expect("a thread for each rank")
                })
                .collect();
            let results = started.into_iter().map(|thread| thread.join());
            results
                .map(|result| result.expect("panics are caught within"))
                .collect()
        })
    }

    fn members(self) -> Vec<Member> {
        let all = Arc::new(Table::new(self.size));
        let nodes = self.size.div_ceil(self.per_node);
        let nodes: Vec<_> = (0..nodes)
            .map(|node| {
                let ranks = self.per_node.min(self.size - node * self.per_node);
                Arc::new(Table::new(ranks))
            })
            .collect();
        let member = |rank: usize| {
            let (node, local_rank) = (rank / self.per_node, rank % self.per_node);
            let local_size = nodes[node].size;
            let host = if nodes.len() == 1 {
                "localhost".to_owned()
            } else {
                format!("node-{node}")
            };
            let place = |rank, size| Place {
                rank,
                size,
                local_rank,
                local_size,
                host: host.clone(),
            };
            let seat = |place: Place, table: &Arc<Table>| {
                Arc::new(Seat {
                    rank: place.rank,
                    table: Arc::clone(table),
                })
            };
            let (whole, local) = (place(rank, self.size), place(local_rank, local_size));
            Member {
                seat: seat(whole.clone(), &all),
                node: (seat(local.clone(), &nodes[node]), local),
                place: whole,
                timeout: self.timeout,
            }
        };
        (0..self.size).map(member).collect()
    }
}

/// One rank.
#[derive(Clone, Debug)]
struct Member {
    place: Place,
    seat: Arc<Seat>,
    node: (Arc<Seat>, Place),
    timeout: Duration,
}

impl Member {
    fn end(&self) {
        self.seat.table.end(self.seat.rank);
        self.node.0.table.end(self.node.0.rank);
    }

    fn exchange(&self, call: Call, limit: Option<Duration>) -> Result<Arc<Vec<Call>>, GroupError> {
        let exchanged = self.seat.table.exchange(self.seat.rank, call, limit);
        exchanged.map_err(|fault| GroupError {
            place: self.place.clone(),
            fault,
        })
    }
}

impl Group for Member {
    fn place(&self) -> &Place {
        &self.place
    }

    fn sum(&self, values: Summands<'_>) -> Result<(), GroupError> {
        let own = match &values {
            Summands::F32(values) => Call::SumF32(values.to_vec()),
            Summands::F64(values) => Call::SumF64(values.to_vec()),
            Summands::U64(values) => Call::SumU64(values.to_vec()),
        };
        let calls = self.exchange(own, Some(self.timeout))?;
        match values {
            Summands::F32(values) => add(values, &calls, Call::f32s, |a, b| a + b),
            Summands::F64(values) => add(values, &calls, Call::f64s, |a, b| a + b),
            Summands::U64(values) => add(values, &calls, Call::u64s, u64::wrapping_add),
        }
        Ok(())
    }

    fn gather(&self, own: &[f32], counts: &[usize]) -> Result<Vec<f32>, GroupError> {
        self.place.assert_counts(own.len(), counts);
        let own = Call::Gather {
            values: own.to_vec(),
            counts: counts.to_vec(),
        };
        let calls = self.exchange(own, Some(self.timeout))?;
        Ok(calls.iter().flat_map(Call::f32s).copied().collect())
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<(), GroupError> {
        let own = match self.place.is_first() {
            true => bytes.clone(),
            false => Vec::new(),
        };
        let calls = self.exchange(Call::Broadcast(own), None)?;
        if let Call::Broadcast(found) = &calls[0] {
            bytes.clone_from(found);
        }
        Ok(())
    }

    fn node(&self) -> Arc<dyn Group> {
        let (seat, place) = self.node.clone();
        Arc::new(Self {
            place: place.clone(),
            seat: Arc::clone(&seat),
            node: (seat, place),
            timeout: self.timeout,
        })
    }
}

/// The first rank's values plus the second's, and so on.
fn add<'a, T: Copy + 'a>(
    into: &mut [T],
    calls: &'a [Call],
    values: impl Fn(&'a Call) -> &'a [T],
    plus: impl Fn(T, T) -> T,
) {
    let mut ranks = calls.iter().map(values);
    into.copy_from_slice(ranks.next().expect("a group has ranks"));
    for of_rank in ranks {
        for (sum, &value) in into.iter_mut().zip(of_rank) {
            *sum = plus(*sum, value);
        }
    }
}

/// What a rank lays down.
#[derive(Debug)]
enum Call {
    SumF32(Vec<f32>),
    SumF64(Vec<f64>),
    SumU64(Vec<u64>),
    Gather { values: Vec<f32>, counts: Vec<usize> },
    Broadcast(Vec<u8>),
}

impl Call {
    /// What must be equal on all ranks.
    fn name(&self) -> String {
        match self {
            Self::SumF32(values) => format!("a sum of {} values", values.len()),
            Self::SumF64(values) => format!("a sum of {} statistics", values.len()),
            Self::SumU64(values) => format!("a sum of {} counts", values.len()),
            Self::Gather { counts, .. } => format!("a gathering of {counts:?} values"),
            Self::Broadcast(_) => "a broadcast".to_owned(),
        }
    }

    fn f32s(&self) -> &[f32] {
        match self {
            Self::SumF32(values) | Self::Gather { values, .. } => values,
            _ => &[],
        }
    }

    fn f64s(&self) -> &[f64] {
        match self {
            Self::SumF64(values) => values,
            _ => &[],
        }
    }

    fn u64s(&self) -> &[u64] {
        match self {
            Self::SumU64(values) => values,
            _ => &[],
        }
    }
}

/// A rank's place at a table; it has ended when the last holder is gone.
#[derive(Debug)]
struct Seat {
    rank: usize,
    table: Arc<Table>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.table.end(self.rank);
    }
}

/// Where ranks exchange what they lay down.
#[derive(Debug)]
struct Table {
    size: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// Exchanges that are done.
    rounds: u64,
    laid: Vec<Option<Call>>,
    /// What was laid down in the last exchange. Nobody can need an earlier one: this one would not be done.
    last: Arc<Vec<Call>>,
    ended: Vec<bool>,
}

impl Table {
    fn new(size: usize) -> Self {
        Self {
            size,
            state: Mutex::new(State {
                rounds: 0,
                laid: (0..size).map(|_| None).collect(),
                last: Arc::default(),
                ended: vec![false; size],
            }),
            changed: Condvar::new(),
        }
    }

    /// A thread that panicked while it held the lock left nothing half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, rank: usize) {
        self.lock().ended[rank] = true;
        self.changed.notify_all();
    }

    /// Lays `call` down and returns what all ranks laid down.
    fn exchange(&self, rank: usize, call: Call, limit: Option<Duration>) -> Result<Arc<Vec<Call>>, Fault> {
        let name = call.name();
        let start = Instant::now();
        let mut state = self.lock();
        let round = state.rounds;
        state.laid[rank] = Some(call);
        if state.laid.iter().all(Option::is_some) {
            let all = state.laid.iter_mut().map(|laid| laid.take().expect("all are there"));
            let all: Vec<Call> = all.collect();
            state.last = Arc::new(all);
            state.rounds += 1;
            self.changed.notify_all();
        }
        while state.rounds == round {
            let missing: Vec<usize> = (0..self.size).filter(|&rank| state.laid[rank].is_none()).collect();
            if let Some(&rank) = missing.iter().find(|&&rank| state.ended[rank]) {
                return Err(Fault::Ended { rank, call: name });
            }
            let Some(limit) = limit else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let Some(left) = limit.checked_sub(start.elapsed()) else {
                return Err(Fault::TimedOut {
                    call: name,
                    after: limit,
                    missing,
                });
            };
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let all = Arc::clone(&state.last);
        drop(state);
        match all.iter().map(Call::name).enumerate().find(|(_, other)| *other != name) {
            None => Ok(all),
            Some((rank, other)) => Err(Fault::Differs { own: name, rank, other }),
        }
    }
}

fn message(payload: &(dyn std::any::Any + Send)) -> String {
    if let Some(error) = payload.downcast_ref::<GroupError>() {
        return error.to_string();
    }
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a message".to_owned())
}

//! One rank of a run that is spread over several processes or threads.
//!
//! [`Group`] is what a rank can do with the others: exact sums, gathered rows, broadcasts from the first rank. [`Alone`] is a run of
//! one rank, [`Threads`] has ranks that are threads of one process, and `Mpi` (feature `mpi`) the processes of an MPI job.
//!
//! ```
//! use barlow_group::{Group, Threads};
//!
//! let sums = Threads::new(3).run(|group| {
//!     let mut x = [group.place().rank as f32, 1.0];
//!     group.sum((&mut x[..]).into())?;
//!     Ok::<_, barlow_group::GroupError>(x)
//! });
//! assert!(sums.into_iter().all(|sum| sum.unwrap().unwrap() == [3.0, 3.0]));
//! ```
//!
//! Values are on the host; tensors are not this crate's concern, and nothing here knows what is trained.

mod alone;
mod error;
mod group;
mod launch;
#[cfg(feature = "mpi")]
mod mpi;
mod place;
mod share;
mod summands;
mod threads;

pub use alone::Alone;
pub use error::{Fault, GroupError};
pub use group::Group;
pub use launch::{LaunchError, Launcher, launched};
#[cfg(feature = "mpi")]
pub use mpi::Mpi;
pub use place::Place;
pub use share::{counts_of, share_of};
pub use summands::Summands;
pub use threads::{Lost, Threads};

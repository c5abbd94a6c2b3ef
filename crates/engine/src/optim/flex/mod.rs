//! The update rules on the CPU backend: a parameter's update in one pass over its values, on all threads, in place.

mod adamw;
mod chunk;
mod momentum;
mod optim_ops;
#[cfg(test)]
mod tests;

//! A batch over several peers, threads of one process here, against the whole batch in one.

use std::ops::Range;
use std::sync::{Barrier, Mutex};
use std::thread;

use barlow_loss::{BarlowTwinsLossConfig, LossForm, Normalization, Objective, Peers};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::inputs::{Host, views};
use super::parity::same;
use super::{Outcome, Tested, outcome, run};

/// A table with a seat for each peer.
struct Table<B: Backend> {
    seats: Mutex<Vec<Option<Tensor<B, 2>>>>,
    counts: Mutex<Vec<usize>>,
    barrier: Barrier,
}

struct Seat<'a, B: Backend> {
    table: &'a Table<B>,
    rank: usize,
}

impl<B: Backend> Seat<'_, B> {
    /// What every peer put down, in order of rank.
    fn exchange(&self, x: Tensor<B, 2>) -> Vec<Tensor<B, 2>> {
        self.table.seats.lock().unwrap()[self.rank] = Some(x);
        self.table.barrier.wait();
        let all = self
            .table
            .seats
            .lock()
            .unwrap()
            .iter()
            .map(|x| x.clone().unwrap())
            .collect();
        self.table.barrier.wait();
        all
    }
}

impl<B: Backend> Peers<B> for Seat<'_, B> {
    fn total(&self, rows: usize) -> usize {
        self.table.counts.lock().unwrap()[self.rank] = rows;
        self.table.barrier.wait();
        let total = self.table.counts.lock().unwrap().iter().sum();
        self.table.barrier.wait();
        total
    }

    fn sum(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        self.exchange(x).into_iter().reduce(|a, b| a + b).unwrap()
    }

    fn gather(&self, rows: Tensor<B, 2>) -> (Tensor<B, 2>, usize) {
        let all = self.exchange(rows);
        let before = all[..self.rank].iter().map(|rows| rows.dims()[0]).sum();
        (Tensor::cat(all, 0), before)
    }
}

pub fn any_number_of_peers_gives_the_same<T: Tested>(device: &T::Device) {
    let config = || BarlowTwinsLossConfig::new().with_lambda(0.05).with_scale(0.5);
    let configs = [
        config(),
        config().with_form(LossForm::Direct),
        config().with_form(LossForm::Gram),
        config().with_form(LossForm::Reference),
        config().with_objective(Objective::CrossEntropy),
        config().with_normalization(Normalization::None),
    ];
    for [n, d] in [[24, 40], [24, 10]] {
        let [a, b] = views(n, d, 31);
        for config in &configs {
            let expected = run::<T>(config, [&a, &b], device);
            for cuts in [vec![0, 24], vec![0, 10, 24], vec![0, 5, 12, 13, 24]] {
                let parts: Vec<Range<usize>> = cuts.windows(2).map(|cut| cut[0]..cut[1]).collect();
                let got = together::<T>(config, [&a, &b], &parts, device);
                same(
                    &got,
                    &expected,
                    1e-5,
                    &format!("{n} x {d} over {} peers, {config:?}", parts.len()),
                );
            }
        }
    }
}

/// Every peer's outcome joined: the readings must be the same everywhere, the gradients are one below the other.
fn together<T: Tested>(
    config: &BarlowTwinsLossConfig,
    hosts: [&Host; 2],
    parts: &[Range<usize>],
    device: &T::Device,
) -> Outcome {
    let table = Table::<T::InnerBackend> {
        seats: Mutex::new(vec![None; parts.len()]),
        counts: Mutex::new(vec![0; parts.len()]),
        barrier: Barrier::new(parts.len()),
    };
    let peer = |rank: usize| {
        let [a, b] = hosts.map(|host| {
            let Range { start, end } = parts[rank];
            let values = host.values[start * host.d..end * host.d].to_vec();
            Host {
                n: end - start,
                values,
                ..*host
            }
            .to::<T>(device)
            .require_grad()
        });
        let seat = Seat { table: &table, rank };
        let out = config.init().forward_with_peers(a.clone(), b.clone(), &seat);
        outcome(out, [a, b])
    };
    let outcomes: Vec<Outcome> = thread::scope(|scope| {
        let peer = &peer;
        let threads: Vec<_> = (0..parts.len()).map(|rank| scope.spawn(move || peer(rank))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut joined = outcomes[0].clone();
    for other in &outcomes[1..] {
        assert_eq!(other.loss, joined.loss);
        for (all, own) in joined.gradients.iter_mut().zip(&other.gradients) {
            all.extend(own);
        }
    }
    joined
}

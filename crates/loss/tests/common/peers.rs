//! Tests of a batch spread over several peers (threads of one process) against the whole batch on one.

use std::ops::Range;
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use barlow_loss::{BarlowTwinsLossConfig, LossForm, Normalization, Objective, Peers};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::inputs::{Host, views};
use super::parity::same;
use super::refusals::panic_of;
use super::{Outcome, Tested, outcome, run};

/// A shared table for the exchange, with a seat for each peer.
struct Table<B: Backend> {
    seats: Mutex<Vec<Option<Tensor<B, 2>>>>,
    counts: Mutex<Vec<usize>>,
    barrier: Barrier,
}

impl<B: Backend> Table<B> {
    fn of(peers: usize) -> Self {
        Self {
            seats: Mutex::new(vec![None; peers]),
            counts: Mutex::new(vec![0; peers]),
            barrier: Barrier::new(peers),
        }
    }
}

struct Seat<'a, B: Backend> {
    table: &'a Table<B>,
    rank: usize,
}

impl<B: Backend> Seat<'_, B> {
    /// Exchanges tensors: returns the tensor of every peer, in order of rank.
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
    fn total(&self, count: usize) -> usize {
        self.table.counts.lock().unwrap()[self.rank] = count;
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

pub fn shapes_at_fault_on_one_peer_stop_them_all<T: Tested>(device: &T::Device) {
    // The shapes of both views, peer by peer.
    let cases = [
        vec![[[4, 3], [4, 3]], [[5, 3], [4, 3]]],
        // The numbers of rows add up to the same for both views.
        vec![[[4, 3], [5, 3]], [[5, 3], [4, 3]], [[2, 3], [2, 3]]],
        vec![[[4, 3], [4, 3]], [[4, 3], [4, 2]]],
        // The first has the mean D.
        vec![[[4, 4], [4, 4]], [[4, 3], [4, 3]], [[4, 5], [4, 5]]],
        vec![[[1, 3], [1, 3]], [[0, 3], [0, 3]]],
        vec![[[4, 0], [4, 0]], [[4, 0], [4, 0]]],
    ];
    for shapes in cases {
        let table = Arc::new(Table::<T::InnerBackend>::of(shapes.len()));
        let (send, receive) = mpsc::channel();
        for (rank, pair) in shapes.iter().copied().enumerate() {
            let (table, device, send) = (table.clone(), device.clone(), send.clone());
            // Not scoped, because a thread that waits forever must not block the test.
            thread::spawn(move || {
                let seat = Seat { table: &table, rank };
                let text = panic_of(|| {
                    let [a, b] = pair.map(|shape| Tensor::<T, 2>::zeros(shape, &device));
                    drop(BarlowTwinsLossConfig::new().init().forward_with_peers(a, b, &seat));
                });
                send.send((pair, text))
            });
        }
        for _ in &shapes {
            let (pair, text) = receive
                .recv_timeout(Duration::from_secs(60))
                .expect("every peer panics");
            let [a, b] = pair;
            let named = text.contains(&format!("z_a is {a:?}, z_b is {b:?} here"));
            assert!(
                named || text.contains("N = 2") || text.contains("D = 0"),
                "{shapes:?}: {text}"
            );
        }
    }
}

/// Joins the outcomes of all peers: the readings must be equal on every peer, the gradients are concatenated.
fn together<T: Tested>(
    config: &BarlowTwinsLossConfig,
    hosts: [&Host; 2],
    parts: &[Range<usize>],
    device: &T::Device,
) -> Outcome {
    let table = Table::<T::InnerBackend>::of(parts.len());
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

//! Distributed loss of a batch that is spread over several processes or devices: exact for any number of them.
//!
//! Independent of the transport: the user implements [`Peers`]. All communication happens in
//! [`BarlowTwinsLoss::forward_with_peers`] and none in the backward pass, so peers cannot deadlock by waiting for one another in
//! different orders.

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{DType, FloatDType, Tensor};

use crate::ops::forms::{self, Moments};
use crate::ops::{LossOps, Product};
use crate::reference::{Terms, check_shapes};
use crate::{BarlowTwinsLoss, BarlowTwinsOutput, LossForm};

/// Communication with the other processes that hold parts of the batch. Every peer must call every operation, in the same order.
pub trait Peers<B: Backend> {
    /// The sum of `count` over all peers.
    fn total(&self, count: usize) -> usize;

    /// The elementwise sum over all peers. The shapes are equal on all peers; the result must be bitwise equal on all peers.
    fn sum(&self, x: Tensor<B, 2>) -> Tensor<B, 2>;

    /// The rows of all peers, concatenated in an order that is the same on every peer, and the index of the caller's first row
    /// among them. The numbers of rows may differ.
    fn gather(&self, rows: Tensor<B, 2>) -> (Tensor<B, 2>, usize);
}

impl BarlowTwinsLoss {
    /// [`Self::forward`] for this peer's rows of a batch that is spread over all peers.
    ///
    /// Statistics and C are those of the whole batch (as with batch norm synchronised over the peers), and so are all outputs,
    /// which are equal on every peer. The gradient of `loss` with respect to the local embeddings is the exact gradient of the
    /// loss of the whole batch: sum (do not average) the parameter gradients over the peers to get those of a single process.
    /// `invariance` and `redundancy_reduction` have no gradient.
    ///
    /// The direct form sums moments and C. The Gram form gathers the rows of the standardised embeddings, because Gram matrices
    /// of different rows cannot be summed. The reference and the variants gather the embeddings and repeat all the work on every
    /// peer. The gradient is computed in the forward pass, even if it is not used. Peers must have the same settings and, because
    /// the form depends on it, devices with the same buffer limit.
    ///
    /// # Shapes
    ///
    /// - z_a, z_b: `[n, D]`, with the n rows of this peer
    /// - every output: `[1]`
    ///
    /// # Panics
    ///
    /// If the shapes of the views differ on any peer, D differs between peers, all peers together have fewer than two rows, or
    /// D = 0. All peers then panic, so that none keeps waiting for another.
    pub fn forward_with_peers<B>(
        &self,
        z_a: Tensor<B, 2>,
        z_b: Tensor<B, 2>,
        peers: &impl Peers<B::InnerBackend>,
    ) -> BarlowTwinsOutput<B>
    where
        B: AutodiffBackend,
        B::InnerBackend: LossOps,
    {
        let [n, d] = check_together(z_a.dims(), z_b.dims(), peers);
        let z = [z_a, z_b].map(|z| z.cast(FloatDType::F32));
        let inner = z.clone().map(Tensor::inner);
        let limit = B::InnerBackend::largest_buffer(&inner[0].device());
        let (terms, gradients) = match self.form(n, d, limit).0 {
            LossForm::Auto | LossForm::Reference => self.gathered::<B>(inner, peers),
            LossForm::Direct => self.shared(Product::Direct, inner, n, peers),
            LossForm::Gram => self.shared(Product::Gram, inner, n, peers),
        };
        let mut output = self.output(from_inner::<B>(terms), d);
        // A tensor with value zero that carries the gradients.
        let carrier = z
            .into_iter()
            .zip(gradients)
            .map(|(z, gradient)| (z * Tensor::from_inner(gradient)).sum_dim(1).sum_dim(0).reshape([1]))
            .reduce(|a, b| a + b)
            .expect("two views");
        output.loss = output.loss + (carrier.clone() - carrier.detach());
        output
    }

    /// Terms and gradients, computed from the gathered embeddings of all peers.
    fn gathered<B>(
        &self,
        z: [Tensor<B::InnerBackend, 2>; 2],
        peers: &impl Peers<B::InnerBackend>,
    ) -> (Terms<B::InnerBackend>, [Tensor<B::InnerBackend, 2>; 2])
    where
        B: AutodiffBackend,
    {
        let rows = z[0].dims()[0];
        let [(a, offset), (b, _)] = z.map(|z| peers.gather(z));
        let [a, b] = [a, b].map(|z| Tensor::<B, 2>::from_inner(z).require_grad());
        let terms = self.variant().terms(a.clone(), b.clone());
        let loss = self.weighted(&terms);
        let gradients = loss.backward();
        let own = |z: Tensor<B, 2>| z.grad(&gradients).expect("a tracked view").narrow(0, offset, rows);
        let Terms {
            invariance,
            redundancy_reduction,
            sums,
        } = terms;
        let terms = Terms {
            invariance: invariance.inner(),
            redundancy_reduction: redundancy_reduction.inner(),
            sums: sums.inner(),
        };
        (terms, [own(a), own(b)])
    }

    /// Terms and gradients with the work shared among the peers.
    fn shared<I: LossOps>(
        &self,
        product: Product,
        [z_a, z_b]: [Tensor<I, 2>; 2],
        n: usize,
        peers: &impl Peers<I>,
    ) -> (Terms<I>, [Tensor<I, 2>; 2]) {
        let n = n as f64;
        let means = |x: Vec<Tensor<I, 2>>| {
            let rows = x.len();
            let sums = Tensor::cat(x.into_iter().map(|x| x.sum_dim(0)).collect(), 0);
            let means = peers.sum(sums).div_scalar(n);
            (0..rows).map(|row| means.clone().narrow(0, row, 1)).collect::<Vec<_>>()
        };
        let centre = means(vec![z_a.clone(), z_b.clone()]);
        let [square_a, square_b] = [(&z_a, 0), (&z_b, 1)].map(|(z, k)| (z.clone() - centre[k].clone()).square());
        let variance = means(vec![square_a, square_b]);
        let moments = |k: usize| Moments::new(centre[k].clone(), variance[k].clone(), self.config.epsilon);
        let (moments_a, moments_b) = (moments(0), moments(1));
        let (a, b) = (moments_a.standardise(z_a), moments_b.standardise(z_b));

        let weights = Tensor::<I, 1>::from_data(self.weights().map(|weight| weight as f32), (&a.device(), DType::F32));
        let (sums, slope_a, slope_b) = match product {
            Product::Direct => {
                let c = forms::unwrap(peers.sum(a.clone().transpose().matmul(b.clone().div_scalar(n))));
                let sums = forms::wrap(I::correlation_sums(c.clone()));
                // As in `forms::backward`, two numbers are divided instead of [D, D].
                let slope = forms::wrap::<I, 2>(I::correlation_gradient(c, forms::unwrap(weights.div_scalar(n))));
                (
                    sums,
                    b.clone().matmul(slope.clone().transpose()),
                    a.clone().matmul(slope),
                )
            }
            Product::Gram => {
                let diagonal = means(vec![a.clone() * b.clone()]).remove(0);
                let (all_a, all_b) = (peers.gather(a.clone()).0, peers.gather(b.clone()).0);
                // This peer's rows of the Gram matrices.
                let gram_a = a.clone().matmul(all_a.clone().transpose());
                let gram_b = b.clone().matmul(all_b.clone().transpose());
                let squares = peers.sum(forms::gram_squares(&gram_a, &gram_b, n));
                let (factor, slope) = forms::gram_slopes(weights, diagonal.clone(), n);
                let slope_a = gram_b.matmul(all_a) * factor.clone() + b.clone() * slope.clone();
                let slope_b = gram_a.matmul(all_b) * factor + a.clone() * slope;
                (forms::gram_sums(diagonal, squares), slope_a, slope_b)
            }
        };
        let tilted = [slope_a.clone() * a.clone(), slope_b.clone() * b.clone()];
        let [tilt_a, tilt_b] = tilted;
        let mut means = means(vec![slope_a.clone(), slope_b.clone(), tilt_a, tilt_b]).into_iter();
        let mut mean = || means.next().expect("four means");
        let (mean_a, mean_b, tilt_a, tilt_b) = (mean(), mean(), mean(), mean());
        let gradients = [
            forms::through_standardisation(slope_a, a, mean_a, tilt_a, moments_a.inverse_std),
            forms::through_standardisation(slope_b, b, mean_b, tilt_b, moments_b.inverse_std),
        ];
        (Terms::packed(sums), gradients)
    }
}

/// The total N of all peers, and D. Panics on all peers if the shapes of any peer are invalid.
fn check_together<B: Backend>(a: [usize; 2], b: [usize; 2], peers: &impl Peers<B>) -> [usize; 2] {
    let [rows, d] = a;
    let (n, count) = (peers.total(rows), peers.total(1));
    // If D differs, the D of some peer may equal the mean, so the peers also exchange whether they found a difference.
    let other_width = peers.total(d) != d * count;
    let at_fault = peers.total(usize::from(a != b || other_width));
    assert!(
        at_fault == 0,
        "the embeddings of the two views must have the same shape [N, D], and all peers the same D: z_a is {a:?}, z_b is {b:?} here, \
         and {at_fault} of {count} peers have views that differ or another D than the peers' mean"
    );
    check_shapes([n, d], [n, d])
}

fn from_inner<B: AutodiffBackend>(terms: Terms<B::InnerBackend>) -> Terms<B> {
    Terms {
        invariance: Tensor::from_inner(terms.invariance),
        redundancy_reduction: Tensor::from_inner(terms.redundancy_reduction),
        sums: Tensor::from_inner(terms.sums),
    }
}

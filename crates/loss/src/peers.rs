//! The loss of a batch that is spread over several processes or devices: exact, whatever their number.
//!
//! Knows no transport: [`Peers`] is what a user brings. All exchange happens in [`BarlowTwinsLoss::forward_with_peers`], none in the
//! backward pass, so peers cannot wait for one another in different orders.

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{DType, FloatDType, Tensor};

use crate::ops::forms::{self, Moments};
use crate::ops::{LossOps, Product};
use crate::reference::{Terms, check_shapes};
use crate::{BarlowTwinsLoss, BarlowTwinsOutput, LossForm};

/// The others that hold parts of the batch. Every peer must call every operation, in the same order.
pub trait Peers<B: Backend> {
    /// The sum of `count` over all peers.
    fn total(&self, count: usize) -> usize;

    /// Element by element, the sum over all peers; the shapes are the same everywhere, and so must be the bytes of the result.
    fn sum(&self, x: Tensor<B, 2>) -> Tensor<B, 2>;

    /// The rows of all peers, one peer's below the other's in an order that is the same everywhere, and the index of the caller's first
    /// row among them. The numbers of rows may differ.
    fn gather(&self, rows: Tensor<B, 2>) -> (Tensor<B, 2>, usize);
}

impl BarlowTwinsLoss {
    /// [`Self::forward`] for one peer's rows of a batch that all peers make up together.
    ///
    /// Statistics and C are those of the whole batch (as batch norm synchronised over the peers gives), and so are all outputs, which are the
    /// same on every peer. The gradient of `loss` for the embeddings here is the exact one of the loss of the whole batch: over
    /// the peers, gradients of parameters add up (sum, not mean) to what one process would have. `invariance` and
    /// `redundancy_reduction` carry no gradient.
    ///
    /// The direct form sums moments and C; the Gram form gathers the rows of the standardised embeddings, as Gram matrices of different
    /// rows do not add up; the reference and the variants gather the embeddings and do all the work on every peer.
    /// The gradient is computed here, whether or not it is asked for later. Peers must have the same settings and, as the form hangs on it,
    /// devices with the same buffer limit.
    ///
    /// # Shapes
    ///
    /// - z_a, z_b: `[n, D]`, n of this peer
    /// - every output: `[1]`
    ///
    /// # Panics
    ///
    /// If the shapes of the views differ on any peer, D differs between peers, all peers together have fewer than two rows, or D = 0:
    /// then on every peer, so that none is left waiting for another.
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
        // Zero, with the gradients wanted.
        let carrier = z
            .into_iter()
            .zip(gradients)
            .map(|(z, gradient)| (z * Tensor::from_inner(gradient)).sum_dim(1).sum_dim(0).reshape([1]))
            .reduce(|a, b| a + b)
            .expect("two views");
        output.loss = output.loss + (carrier.clone() - carrier.detach());
        output
    }

    /// Terms and gradients by the embeddings of all peers.
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
                // As in `forms::backward`: two numbers are divided, not [D, D].
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
                // The rows of the Gram matrices that are this peer's.
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

/// N of all peers, and D; or a panic on all of them, whichever peer's shapes are at fault.
fn check_together<B: Backend>(a: [usize; 2], b: [usize; 2], peers: &impl Peers<B>) -> [usize; 2] {
    let [rows, d] = a;
    let (n, count) = (peers.total(rows), peers.total(1));
    // Some peer may have the mean D where D differs, so that what each found is exchanged as well.
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

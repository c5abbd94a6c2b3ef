//! The sum of all gradients over the ranks, in buckets.

use super::Ranks;
use super::ranks::{from_host, host};
use burn::module::{AutodiffModule, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;
use std::collections::HashMap;

/// Values that are summed at once: 64 MiB. Few calls, and no second copy of all gradients.
const BUCKET: usize = 16 << 20;

impl Ranks {
    /// The sums over all ranks of the gradients of `module`, in the order of its parameters, which is the same on every rank. The
    /// parameters that have a gradient must be the same, too.
    pub fn sum_gradients<B: AutodiffBackend, M: AutodiffModule<B>>(
        &self,
        gradients: GradientsParams,
        module: &M,
    ) -> GradientsParams {
        if self.is_alone() {
            return gradients;
        }
        let mut read = Reader {
            ranks: self,
            gradients,
            bucket: Vec::new(),
            waiting: Vec::new(),
            sums: HashMap::new(),
        };
        module.visit(&mut read);
        read.flush();
        let mut write = Writer {
            sums: read.sums,
            gradients: GradientsParams::new(),
        };
        module.visit(&mut write);
        write.gradients
    }
}

/// Fills buckets and sums them.
struct Reader<'a> {
    ranks: &'a Ranks,
    gradients: GradientsParams,
    bucket: Vec<f32>,
    /// The parameters in the bucket with their numbers of values.
    waiting: Vec<(ParamId, usize)>,
    sums: HashMap<ParamId, Vec<f32>>,
}

impl Reader<'_> {
    fn flush(&mut self) {
        if self.bucket.is_empty() {
            return;
        }
        let mut bucket = std::mem::take(&mut self.bucket);
        self.ranks.sum(&mut bucket);
        let mut rest = &bucket[..];
        for (id, values) in self.waiting.drain(..) {
            let (own, others) = rest.split_at(values);
            self.sums.insert(id, own.to_vec());
            rest = others;
        }
    }
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Reader<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let Some(gradient) = self.gradients.remove::<B::InnerBackend, D>(param.id) else {
            return;
        };
        let values = host(gradient);
        if self.bucket.len() + values.len() > BUCKET {
            self.flush();
        }
        self.waiting.push((param.id, values.len()));
        self.bucket.extend(values);
    }
}

struct Writer {
    sums: HashMap<ParamId, Vec<f32>>,
    gradients: GradientsParams,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Writer {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if let Some(values) = self.sums.remove(&param.id) {
            let value = param.val();
            let sum = from_host::<B::InnerBackend, D>(values, value.dims(), &value.device());
            self.gradients.register(param.id, sum);
        }
    }
}

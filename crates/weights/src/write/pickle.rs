//! The pickle of a state dict, protocol 2, with nothing that `torch.load(weights_only=True)` would refuse.

use super::values::OutTensor;
use crate::stored::row_major;

/// An `OrderedDict` from names to tensors; tensor N is in the storage `N`.
pub(super) fn state_dict(tensors: &[OutTensor<'_>]) -> Vec<u8> {
    let mut pickle = Pickle(b"\x80\x02".to_vec());
    pickle.global("collections", "OrderedDict");
    pickle.0.extend(b")R(");
    for (number, tensor) in tensors.iter().enumerate() {
        pickle.text(tensor.name);
        pickle.tensor(number, tensor);
    }
    pickle.0.extend(b"u.");
    pickle.0
}

struct Pickle(Vec<u8>);

impl Pickle {
    /// `_rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`.
    fn tensor(&mut self, number: usize, tensor: &OutTensor<'_>) {
        self.global("torch._utils", "_rebuild_tensor_v2");
        self.0.extend(b"((");
        self.text("storage");
        let class = tensor.values.dtype().storage_class();
        self.global("torch", class.expect("the writer checked the type"));
        self.text(&number.to_string());
        self.text("cpu");
        self.int(tensor.values.bytes() / tensor.values.dtype().bytes() as u64);
        self.0.extend(b"tQ");
        self.int(0);
        self.tuple(tensor.shape.iter().map(|&size| size as u64));
        self.tuple(row_major(tensor.shape).expect("the shape is filled"));
        self.0.push(0x89);
        self.global("collections", "OrderedDict");
        self.0.extend(b")RtR");
    }

    fn global(&mut self, module: &str, name: &str) {
        self.0.extend(format!("c{module}\n{name}\n").bytes());
    }

    fn text(&mut self, text: &str) {
        self.0.push(b'X');
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend(text.bytes());
    }

    fn int(&mut self, value: u64) {
        match value {
            0..=0xff => self.0.extend([b'K', value as u8]),
            0x100..=0x7fff_ffff => {
                self.0.push(b'J');
                self.0.extend((value as u32).to_le_bytes());
            }
            _ => {
                self.0.extend([0x8a, 9]);
                self.0.extend(value.to_le_bytes());
                self.0.push(0);
            }
        }
    }

    fn tuple(&mut self, values: impl IntoIterator<Item = u64>) {
        self.0.push(b'(');
        values.into_iter().for_each(|value| self.int(value));
        self.0.push(b't');
    }
}

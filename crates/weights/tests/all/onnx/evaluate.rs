//! A small interpreter of ONNX graphs, by the definitions of the operators: slow and plain.

use std::collections::BTreeMap;

use super::parse::{Attribute, Data, Model, Node, Tensor};

impl Tensor {
    pub fn floats(shape: &[usize], values: Vec<f32>) -> Self {
        assert_eq!(values.len(), shape.iter().product::<usize>());
        Self {
            shape: shape.to_vec(),
            data: Data::Floats(values),
        }
    }

    fn of_ints(shape: &[usize], values: Vec<i64>) -> Self {
        Self {
            shape: shape.to_vec(),
            data: Data::Ints(values),
        }
    }

    pub fn values(&self) -> &[f32] {
        match &self.data {
            Data::Floats(values) => values,
            Data::Ints(_) => panic!("integers"),
        }
    }

    fn ints(&self) -> &[i64] {
        match &self.data {
            Data::Ints(values) => values,
            Data::Floats(_) => panic!("floats"),
        }
    }
}

impl Node {
    fn ints(&self, name: &str) -> Option<Vec<usize>> {
        match self.attributes.get(name)? {
            Attribute::Ints(values) => Some(values.iter().map(|&value| value as usize).collect()),
            _ => panic!("{name}"),
        }
    }

    fn int(&self, name: &str, default: i64) -> i64 {
        match self.attributes.get(name) {
            None => default,
            Some(Attribute::Int(value)) => *value,
            Some(_) => panic!("{name}"),
        }
    }

    fn epsilon(&self) -> f64 {
        match self.attributes["epsilon"] {
            Attribute::Float(value) => value.into(),
            _ => panic!("epsilon"),
        }
    }

    fn axis(&self, rank: usize) -> usize {
        let axis = self.int("axis", i64::MIN);
        usize::try_from(if axis < 0 { axis + rank as i64 } else { axis }).unwrap()
    }
}

/// Every value of the graph, by name.
pub fn run(model: &Model, images: Tensor) -> BTreeMap<String, Tensor> {
    let mut values = model.initializers.clone();
    values.insert(model.inputs[0].0.clone(), images);
    for node in &model.nodes {
        let inputs: Vec<&Tensor> = node.inputs.iter().map(|name| &values[name]).collect();
        let output = apply(node, &inputs);
        assert!(
            values.insert(node.output.clone(), output).is_none(),
            "{} is set twice",
            node.output
        );
    }
    values
}

fn apply(node: &Node, inputs: &[&Tensor]) -> Tensor {
    let x = inputs[0];
    match node.op.as_str() {
        "Conv" => conv(node, inputs),
        "BatchNormalization" => batch_norm(node, inputs),
        "LayerNormalization" => layer_norm(node, inputs),
        "MaxPool" => max_pool(node, x),
        "GlobalAveragePool" => {
            let pixels = x.shape[2] * x.shape[3];
            let mean = |pixels: &[f32]| pixels.iter().map(|&value| f64::from(value)).sum::<f64>() / pixels.len() as f64;
            let means = x.values().chunks(pixels).map(|pixels| mean(pixels) as f32).collect();
            Tensor::floats(&[x.shape[0], x.shape[1], 1, 1], means)
        }
        "Flatten" => {
            let (rows, columns) = x.shape.split_at(node.axis(x.shape.len()));
            Tensor::floats(&[rows.iter().product(), columns.iter().product()], x.values().to_vec())
        }
        "Identity" => x.clone(),
        "Relu" => map(x, |value| value.max(0.0)),
        "Erf" => map(x, |value| erf(value.into()) as f32),
        "Add" => broadcast(x, inputs[1], |a, b| a + b),
        "Mul" => broadcast(x, inputs[1], |a, b| a * b),
        "Div" => broadcast(x, inputs[1], |a, b| a / b),
        "Gemm" => {
            assert_eq!(node.int("transB", 0), 1);
            let product = matmul(x, &transpose(inputs[1], &[1, 0]));
            match inputs.get(2) {
                Some(bias) => broadcast(&product, bias, |a, b| a + b),
                None => product,
            }
        }
        "MatMul" => matmul(x, inputs[1]),
        "Transpose" => transpose(x, &node.ints("perm").unwrap()),
        "Reshape" => reshape(x, inputs[1].ints()),
        "Shape" => {
            let range = node.int("start", 0) as usize..node.int("end", x.shape.len() as i64) as usize;
            let sizes: Vec<i64> = x.shape[range].iter().map(|&size| size as i64).collect();
            Tensor::of_ints(&[sizes.len()], sizes)
        }
        "Concat" => concat(inputs, node.axis(x.shape.len())),
        "Expand" => {
            let shape: Vec<usize> = inputs[1].ints().iter().map(|&size| size as usize).collect();
            let len = shape.iter().product();
            broadcast(x, &Tensor::floats(&shape, vec![0.0; len]), |a, _| a)
        }
        "ReduceMean" => {
            assert_eq!((node.ints("axes").unwrap(), node.int("keepdims", 1)), (vec![1], 0));
            let [n, tokens, width] = x.shape[..].try_into().unwrap();
            let mean = |index: usize| {
                let (image, at) = (index / width, index % width);
                let values = (0..tokens).map(|token| x.values()[(image * tokens + token) * width + at]);
                values.map(f64::from).sum::<f64>() / tokens as f64
            };
            Tensor::floats(&[n, width], (0..n * width).map(|index| mean(index) as f32).collect())
        }
        "Gather" => gather(x, inputs[1], node.axis(x.shape.len())),
        "Softmax" => {
            assert_eq!(node.axis(x.shape.len()), x.shape.len() - 1);
            let mut out = x.values().to_vec();
            for row in out.chunks_mut(*x.shape.last().unwrap()) {
                let largest = row.iter().copied().fold(f32::MIN, f32::max);
                row.iter_mut().for_each(|value| *value = (*value - largest).exp());
                let sum: f32 = row.iter().sum();
                row.iter_mut().for_each(|value| *value /= sum);
            }
            Tensor::floats(&x.shape, out)
        }
        op => panic!("an operator that the exports do not need: {op}"),
    }
}

fn map(x: &Tensor, f: impl Fn(f32) -> f32) -> Tensor {
    Tensor::floats(&x.shape, x.values().iter().map(|&value| f(value)).collect())
}

fn strides(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|dim| shape[dim + 1..].iter().product()).collect()
}

/// NumPy's broadcasting.
fn broadcast(a: &Tensor, b: &Tensor, f: impl Fn(f32, f32) -> f32) -> Tensor {
    let rank = a.shape.len().max(b.shape.len());
    let padded = |shape: &[usize]| [&vec![1; rank - shape.len()][..], shape].concat();
    let [left, right] = [padded(&a.shape), padded(&b.shape)];
    let size = |dim: usize| match (left[dim], right[dim]) {
        (left, right) if left == right || right == 1 => left,
        (1, right) => right,
        _ => panic!("{:?} and {:?}", a.shape, b.shape),
    };
    let shape: Vec<usize> = (0..rank).map(size).collect();
    let steps = strides(&shape);
    let at = |index: usize, shape: &[usize]| -> usize {
        let own = strides(shape);
        let dims = (0..rank).filter(|&dim| shape[dim] != 1);
        dims.map(|dim| index / steps[dim] % shape[dim] * own[dim]).sum()
    };
    let values = (0..shape.iter().product::<usize>())
        .map(|index| f(a.values()[at(index, &left)], b.values()[at(index, &right)]))
        .collect();
    Tensor::floats(&shape, values)
}

/// [.., M, K] · [.., K, N], or · [K, N].
fn matmul(a: &Tensor, b: &Tensor) -> Tensor {
    let (rank, inner) = (a.shape.len(), *a.shape.last().unwrap());
    let [rows, columns] = [a.shape[rank - 2], b.shape[b.shape.len() - 1]];
    assert_eq!(b.shape[b.shape.len() - 2], inner);
    let batches: usize = a.shape[..rank - 2].iter().product();
    let is_shared = b.shape.len() == 2;
    assert!(is_shared || b.shape[..rank - 2] == a.shape[..rank - 2]);
    let mut out = Vec::new();
    for batch in 0..batches {
        let b = &b.values()[if is_shared { 0 } else { batch * inner * columns }..];
        for row in 0..rows {
            let a = &a.values()[(batch * rows + row) * inner..];
            out.extend((0..columns).map(|column| {
                let products = (0..inner).map(|k| f64::from(a[k]) * f64::from(b[k * columns + column]));
                products.sum::<f64>() as f32
            }));
        }
    }
    Tensor::floats(&[&a.shape[..rank - 1], &[columns]].concat(), out)
}

fn transpose(x: &Tensor, permutation: &[usize]) -> Tensor {
    let shape: Vec<usize> = permutation.iter().map(|&dim| x.shape[dim]).collect();
    let (from, to) = (strides(&x.shape), strides(&shape));
    let values = (0..x.values().len()).map(|index| {
        let dims = permutation.iter().enumerate();
        let at: usize = dims.map(|(dim, &old)| index / to[dim] % shape[dim] * from[old]).sum();
        x.values()[at]
    });
    Tensor::floats(&shape, values.collect())
}

fn reshape(x: &Tensor, to: &[i64]) -> Tensor {
    let known = |dim: usize| match to[dim] {
        0 => x.shape[dim],
        -1 => 1,
        size => size as usize,
    };
    let product: usize = (0..to.len()).map(known).product();
    let size = |dim: usize| match to[dim] {
        -1 => x.values().len() / product,
        _ => known(dim),
    };
    let shape: Vec<usize> = (0..to.len()).map(size).collect();
    Tensor::floats(&shape, x.values().to_vec())
}

fn concat(inputs: &[&Tensor], axis: usize) -> Tensor {
    if let Data::Ints(_) = inputs[0].data {
        let joined: Vec<i64> = inputs.iter().flat_map(|tensor| tensor.ints().to_vec()).collect();
        return Tensor::of_ints(&[joined.len()], joined);
    }
    let mut shape = inputs[0].shape.clone();
    shape[axis] = inputs.iter().map(|tensor| tensor.shape[axis]).sum();
    let outer: usize = shape[..axis].iter().product();
    let mut out = Vec::new();
    for index in 0..outer {
        for tensor in inputs {
            let run: usize = tensor.shape[axis..].iter().product();
            out.extend(&tensor.values()[index * run..(index + 1) * run]);
        }
    }
    Tensor::floats(&shape, out)
}

/// With a scalar index.
fn gather(x: &Tensor, index: &Tensor, axis: usize) -> Tensor {
    assert!(index.shape.is_empty());
    let index = index.ints()[0] as usize;
    let inner: usize = x.shape[axis + 1..].iter().product();
    let outer: usize = x.shape[..axis].iter().product();
    let runs = (0..outer).flat_map(|row| {
        let at = (row * x.shape[axis] + index) * inner;
        x.values()[at..at + inner].to_vec()
    });
    let values = runs.collect();
    Tensor::floats(&[&x.shape[..axis], &x.shape[axis + 1..]].concat(), values)
}

fn conv(node: &Node, inputs: &[&Tensor]) -> Tensor {
    let (x, weight) = (inputs[0], inputs[1]);
    let [n, channels, height, width] = x.shape[..].try_into().unwrap();
    let [out, per_group, kernel, kernel_x] = weight.shape[..].try_into().unwrap();
    assert_eq!(node.ints("kernel_shape").unwrap(), [kernel, kernel_x]);
    let stride = node.ints("strides").unwrap()[0];
    let padding = node.ints("pads").map_or(0, |pads| {
        assert_eq!(pads, [pads[0]; 4]);
        pads[0]
    });
    let groups = node.int("group", 1) as usize;
    assert_eq!(channels, per_group * groups);
    let [rows, columns] = [height, width].map(|size| (size + 2 * padding - kernel) / stride + 1);
    let mut values = Vec::new();
    for image in 0..n {
        for channel in 0..out {
            let first = channel / (out / groups) * per_group;
            let bias = inputs.get(2).map_or(0.0, |bias| bias.values()[channel]);
            for row in 0..rows {
                for column in 0..columns {
                    let mut sum = f64::from(bias);
                    for (index, &weight) in weight.values()[channel * per_group * kernel * kernel..]
                        .iter()
                        .take(per_group * kernel * kernel)
                        .enumerate()
                    {
                        let y = (row * stride + index / kernel % kernel).wrapping_sub(padding);
                        let z = (column * stride + index % kernel).wrapping_sub(padding);
                        if y < height && z < width {
                            let plane = image * channels + first + index / (kernel * kernel);
                            sum += f64::from(weight) * f64::from(x.values()[(plane * height + y) * width + z]);
                        }
                    }
                    values.push(sum as f32);
                }
            }
        }
    }
    Tensor::floats(&[n, out, rows, columns], values)
}

fn max_pool(node: &Node, x: &Tensor) -> Tensor {
    let [n, channels, height, width] = x.shape[..].try_into().unwrap();
    let (kernel, stride, padding) = (
        node.ints("kernel_shape").unwrap()[0],
        node.ints("strides").unwrap()[0],
        node.ints("pads").unwrap()[0],
    );
    let [rows, columns] = [height, width].map(|size| (size + 2 * padding - kernel) / stride + 1);
    let mut values = Vec::new();
    for plane in x.values().chunks(height * width) {
        for row in 0..rows {
            for column in 0..columns {
                let inside = (0..kernel * kernel).filter_map(|index| {
                    let y = (row * stride + index / kernel).wrapping_sub(padding);
                    let z = (column * stride + index % kernel).wrapping_sub(padding);
                    (y < height && z < width).then(|| plane[y * width + z])
                });
                values.push(inside.fold(f32::MIN, f32::max));
            }
        }
    }
    Tensor::floats(&[n, channels, rows, columns], values)
}

fn batch_norm(node: &Node, inputs: &[&Tensor]) -> Tensor {
    let [weight, bias, mean, variance] = [1, 2, 3, 4].map(|input| inputs[input].values());
    let x = inputs[0];
    let pixels: usize = x.shape[2..].iter().product();
    let values = x.values().iter().enumerate().map(|(index, &value)| {
        let channel = index / pixels % x.shape[1];
        let scale = f64::from(weight[channel]) / (f64::from(variance[channel]) + node.epsilon()).sqrt();
        ((f64::from(value) - f64::from(mean[channel])) * scale + f64::from(bias[channel])) as f32
    });
    Tensor::floats(&x.shape, values.collect())
}

fn layer_norm(node: &Node, inputs: &[&Tensor]) -> Tensor {
    let (x, weight, bias) = (inputs[0], inputs[1].values(), inputs[2].values());
    assert_eq!(node.axis(x.shape.len()), x.shape.len() - 1);
    let width = weight.len();
    let mut out = Vec::new();
    for row in x.values().chunks(width) {
        let mean = row.iter().map(|&value| f64::from(value)).sum::<f64>() / width as f64;
        let squares = row.iter().map(|&value| (f64::from(value) - mean).powi(2));
        let scale = 1.0 / (squares.sum::<f64>() / width as f64 + node.epsilon()).sqrt();
        let values = row.iter().zip(weight).zip(bias);
        out.extend(values.map(|((&value, &weight), &bias)| {
            ((f64::from(value) - mean) * scale * f64::from(weight) + f64::from(bias)) as f32
        }));
    }
    Tensor::floats(&x.shape, out)
}

/// By its power series, exact to rounding for the small arguments here.
fn erf(x: f64) -> f64 {
    if x.abs() > 4.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..120 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

//! Every fixture's tensors have the values of the formula, and everything else is in the tree.

use barlow_weights::{Dtype, Format, Tree, WeightsFile};

use crate::fixtures::{open, path, values};

/// `state_dict` of make.py's checkpoint.
fn check_tensors(file: &WeightsFile, newest: bool) {
    let check = |name: &str, shape: &[usize], dtype: Dtype, expected: &[f32]| {
        let full = format!("state_dict.{name}");
        let info = file.info(&full).unwrap_or_else(|| panic!("{full} is missing"));
        assert_eq!((&info.shape[..], info.dtype), (shape, dtype), "{name}");
        assert_eq!(file.read_f32(&full).unwrap(), expected, "{name}");
        let raw = file.read_raw(&full).unwrap();
        assert_eq!(
            (raw.shape, raw.dtype, raw.bytes.len() as u64),
            (info.shape.clone(), dtype, info.bytes)
        );
    };
    for (name, shape) in [
        ("plain", &[2, 3, 4, 5][..]),
        ("channels_last", &[4, 3, 5, 2]),
        ("transposed", &[6, 4]),
        ("permuted", &[2, 3, 4]),
        ("sliced", &[6, 5]),
        ("shared", &[10]),
        ("parameter", &[3, 2]),
        ("empty", &[0, 4]),
    ] {
        let expected = values(name, shape.iter().product(), Dtype::F32);
        check(name, shape, Dtype::F32, &expected);
    }
    check(
        "expanded",
        &[3, 5],
        Dtype::F32,
        &values("expanded", 5, Dtype::F32).repeat(3),
    );
    check("shared_tail", &[6], Dtype::F32, &values("shared", 10, Dtype::F32)[4..]);
    check("scalar", &[], Dtype::F32, &[2.5]);
    for (name, dtype) in [
        ("float64", Dtype::F64),
        ("float16", Dtype::F16),
        ("bfloat16", Dtype::Bf16),
        ("int64", Dtype::I64),
        ("int32", Dtype::I32),
        ("int16", Dtype::I16),
        ("int8", Dtype::I8),
        ("uint8", Dtype::U8),
        ("bool", Dtype::Bool),
    ] {
        check(name, &[3, 4], dtype, &values(name, 12, dtype));
    }
    let complex = "state_dict.complex64";
    assert_eq!(file.info(complex).unwrap().dtype, Dtype::C64);
    let error = file.read_f32(complex).unwrap_err().to_string();
    assert!(error.contains("complex64 values cannot be converted"), "{error}");
    let bytes = file.read_raw(complex).unwrap().bytes;
    let parts: Vec<f32> = bytes
        .as_chunks()
        .0
        .iter()
        .map(|&part| f32::from_le_bytes(part))
        .collect();
    let real = values("complex64", 2, Dtype::F32);
    assert_eq!(parts, [real[0], real[0], real[1], real[1]]);
    if newest {
        for (name, dtype) in [("uint16", Dtype::U16), ("uint32", Dtype::U32)] {
            let expected: Vec<f32> = values(name, 5, dtype).iter().map(|value| value.abs()).collect();
            check(name, &[5], dtype, &expected);
        }
        // Two bits of mantissa: -1.75 and 2.5 are exact, 2.25 and the like are not.
        let read = file.read_f32("state_dict.float8_e5m2").unwrap();
        for (read, exact) in read.iter().zip(values("float8_e5m2", 5, Dtype::F32)) {
            assert!((read - exact).abs() <= exact.abs() / 8.0, "{read} {exact}");
        }
    }
    check_tree(file.tree());
    assert_eq!(
        file.read_f32("optimizer.state.0.momentum_buffer").unwrap(),
        values("momentum_buffer", 6, Dtype::F32)
    );
}

fn check_tree(tree: &Tree) {
    let get = |path: &str| tree.get(path).unwrap_or_else(|| panic!("{path} is missing"));
    assert_eq!(get("epoch"), &Tree::Int(7));
    assert_eq!(get("text"), &Tree::Text("über\nzwei".to_owned()));
    assert_eq!(get("optimizer.param_groups.0.lr"), &Tree::Float(0.25));
    assert_eq!(get("optimizer.param_groups.0.params.0"), &Tree::Int(0));
    assert_eq!(get("size"), &Tree::List(vec![Tree::Int(3), Tree::Int(4)]));
    assert_eq!(get("set"), &Tree::List(vec![Tree::Int(3)]));
    assert_eq!(get("tuple.1"), &Tree::Int(-2));
    assert_eq!(get("tuple.2"), &Tree::Int(1 << 40));
    assert_eq!(get("tuple.4"), &Tree::Bool(true));
    assert_eq!(get("tuple.5"), &Tree::None);
    assert_eq!(get("args.lr"), &Tree::Float(0.5));
    assert_eq!(get("args.schedule.1"), &Tree::Int(20));
    for (path, expected) in [
        ("args", "argparse.Namespace"),
        ("device", "torch.device"),
        ("dtype", "torch.float32"),
        ("best", "numpy._core.multiarray.scalar"),
        ("tuple.3", "a large integer"),
    ] {
        let Tree::Opaque { class, .. } = get(path) else {
            panic!("{path} is {:?}", get(path));
        };
        assert_eq!(class, expected);
    }
    assert!(matches!(get("state_dict.plain"), Tree::Tensor(_)));
    assert_eq!(tree.get("state_dict.plai"), None);
    assert_eq!(tree.get("tuple.99"), None);
}

#[test]
fn every_layout_and_type_of_torch_is_read() {
    for (name, format, newest) in [
        ("zip.pth", Format::PthZip, true),
        ("protocol-5.pth", Format::PthZip, true),
        ("legacy.pth", Format::PthLegacy, false),
    ] {
        let file = open(name);
        assert_eq!(file.format(), format);
        check_tensors(&file, newest);
        let in_memory = WeightsFile::from_bytes(std::fs::read(path(name)).unwrap()).unwrap();
        check_tensors(&in_memory, newest);
    }
}

#[test]
fn the_oldest_format_is_read() {
    let file = open("tar.pth");
    assert_eq!(file.format(), Format::PthTar);
    let first = values("first", 12, Dtype::F32);
    assert_eq!(file.read_f32("first").unwrap(), first);
    let turned: Vec<f32> = (0..12).map(|at| first[at % 4 * 3 + at / 4]).collect();
    assert_eq!(file.info("turned").unwrap().shape, [3, 4]);
    assert_eq!(file.read_f32("turned").unwrap(), turned);
    assert_eq!(file.read_f32("viewed").unwrap(), first[6..]);
}

#[test]
fn a_whole_module_has_the_names_of_its_state_dict() {
    let file = open("module.pth");
    assert_eq!(
        file.read_f32("conv1.weight").unwrap(),
        values("conv1.weight", 6, Dtype::F32)
    );
    assert_eq!(
        file.read_f32("layers.0.running_mean").unwrap(),
        values("running_mean", 4, Dtype::F32)
    );
    assert!(matches!(file.tree(), Tree::Opaque { class, .. } if class == "__main__.Network"));
}

#[test]
fn a_foreign_class_is_named_and_never_run() {
    let file = open("foreign.pth");
    assert_eq!(file.read_f32("weight").unwrap(), values("weight", 2, Dtype::F32));
    let Some(Tree::Opaque { class, parts }) = file.tree().get("foreign") else {
        panic!("{:?}", file.tree());
    };
    assert!(["posix.system", "os.system"].contains(&class.as_str()), "{class}");
    let command = Tree::Text("echo executed > executed-by-a-pickle".to_owned());
    assert_eq!(parts, &[("args".to_owned(), Tree::List(vec![command]))]);
    assert!(!std::path::Path::new("executed-by-a-pickle").exists());
}

#[test]
fn prefixes_are_part_of_the_names() {
    let file = open("ddp.pth");
    let names: Vec<&str> = file.tensors().iter().map(|info| info.name.as_str()).collect();
    assert_eq!(
        names,
        ["model.module.backbone.conv1.weight", "model.module.bn.running_mean"]
    );
    assert_eq!(file.read_f32(names[1]).unwrap(), values("bn", 4, Dtype::F32));
    let error = file.read_f32("conv1.weight").unwrap_err().to_string();
    assert!(error.ends_with("ddp.pth: it has no tensor 'conv1.weight'"), "{error}");
}

#[test]
fn a_tensor_alone_is_read() {
    assert_eq!(
        open("tensor.pth").read_f32("tensor").unwrap(),
        values("tensor", 4, Dtype::F32)
    );
}

#[test]
fn safetensors_of_every_type_are_read() {
    let file = open("types.safetensors");
    assert_eq!(file.format(), Format::Safetensors);
    assert_eq!(file.metadata()["format"], "pt");
    assert_eq!(file.tensors().len(), 10);
    for info in file.tensors() {
        assert_eq!(info.shape, [3, 4]);
        assert_eq!(
            file.read_f32(&info.name).unwrap(),
            values(&info.name, 12, info.dtype),
            "{}",
            info.name
        );
    }
}

#[test]
fn shards_are_one_file() {
    let file = open("model.safetensors.index.json");
    assert_eq!(file.format(), Format::Sharded);
    assert_eq!(file.read_f32("first").unwrap(), values("first", 3, Dtype::F32));
    assert_eq!(file.read_f32("second").unwrap(), values("second", 4, Dtype::F32));
    assert!(matches!(file.tree().get("second"), Some(Tree::Tensor(1))));
}

#[test]
fn shards_that_do_not_match_their_index_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let shard = "model-00001-of-00002.safetensors";
    std::fs::copy(path(shard), folder.path().join(shard)).unwrap();
    let index = folder.path().join("model.safetensors.index.json");
    let error = |map: &str| {
        std::fs::write(&index, format!(r#"{{"weight_map":{map}}}"#)).unwrap();
        WeightsFile::open(&index).unwrap_err().to_string()
    };
    let other = error(&format!(r#"{{"other":"{shard}"}}"#));
    assert!(
        other.contains("'other' is not in 'model-00001-of-00002.safetensors'"),
        "{other}"
    );
    let outside = error(&format!(r#"{{"first":"../{shard}"}}"#));
    assert!(outside.contains("is not a file beside it"), "{outside}");
    let absent = error(r#"{"first":"absent.safetensors"}"#);
    assert!(
        absent.contains("absent.safetensors: ") && !absent.contains('\n'),
        "{absent}"
    );
}

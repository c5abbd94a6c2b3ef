//! Tests of the parser of CIFAR records and names, intact and damaged, without files.

use barlow_data::{CifarFault, CifarKind, check_cifar_records, parse_cifar_names};

const KINDS: [CifarKind; 3] = [CifarKind::Cifar10, CifarKind::Cifar100, CifarKind::Cifar100Coarse];

#[test]
fn whole_records_with_labels_in_range_pass() {
    let ten = [[&[9][..], &[255; 3072]].concat(), [&[0][..], &[3; 3072]].concat()].concat();
    assert_eq!(check_cifar_records(CifarKind::Cifar10, &ten), Ok(2));
    let hundred = [&[19, 99][..], &[1; 3072]].concat();
    for kind in [CifarKind::Cifar100, CifarKind::Cifar100Coarse] {
        assert_eq!(check_cifar_records(kind, &hundred), Ok(1));
    }
}

#[test]
fn cut_files_and_labels_out_of_range_are_refused() {
    for kind in KINDS {
        let record = kind.record_bytes();
        assert_eq!(check_cifar_records(kind, &[]), Err(CifarFault::Empty));
        for bytes in [1, record - 1, record + 1, 2 * record - 1] {
            assert_eq!(
                check_cifar_records(kind, &vec![0; bytes]),
                Err(CifarFault::Cut { bytes, record })
            );
        }
    }
    let label = |kind, at: usize, value| {
        let mut bytes = vec![0; 3 * CifarKind::record_bytes(kind)];
        bytes[2 * kind.record_bytes() + at] = value;
        check_cifar_records(kind, &bytes)
    };
    let fault = |label, classes| {
        Err(CifarFault::Label {
            record: 2,
            label,
            classes,
        })
    };
    assert_eq!(label(CifarKind::Cifar10, 0, 10), fault(10, 10));
    // Both labels are checked, whichever is used: a wrong one shows that the bytes are shifted.
    for kind in [CifarKind::Cifar100, CifarKind::Cifar100Coarse] {
        assert_eq!(label(kind, 0, 20), fault(20, 20));
        assert_eq!(label(kind, 1, 100), fault(100, 100));
    }
}

#[test]
fn names_are_one_a_line_and_complete() {
    let names: Vec<String> = (0..10).map(|i| format!("class {i}")).collect();
    let text = names.join("\r\n") + "\n\n\n";
    assert_eq!(parse_cifar_names(CifarKind::Cifar10, text.as_bytes()), Ok(names));
    for found in [0, 9, 11] {
        let text: String = (0..found).map(|i| format!("{i}\n")).collect();
        let fault = Err(CifarFault::Names { found, classes: 10 });
        assert_eq!(parse_cifar_names(CifarKind::Cifar10, text.as_bytes()), fault);
    }
    let twice = "a\nb\nc\nd\ne\nf\ng\nh\ni\nc\n";
    let fault = Err(CifarFault::SameName { name: "c".into() });
    assert_eq!(parse_cifar_names(CifarKind::Cifar10, twice.as_bytes()), fault);
    for no_text in [&b"\xFF\xFE"[..], b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\rk\n"] {
        assert_eq!(parse_cifar_names(CifarKind::Cifar10, no_text), Err(CifarFault::NotText));
    }
}

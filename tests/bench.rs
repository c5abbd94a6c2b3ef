//! The benchmarks of the program: what is printed is complete, and a case that fails does not take the others along.

use crate::common::Program;
use serde_json::Value;

fn bench(args: &str) -> Program {
    Program::new()
        .args(["bench"])
        .args(args.split(' '))
        .args(["--backend", "cpu"])
}

fn lines(stdout: &str) -> Vec<Value> {
    stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object per line"))
        .collect()
}

#[test]
fn a_step_is_described_and_measured_in_its_own_process() {
    let output = bench("step --json --repeats 2 --threads 1 --case 4,16,32,32 --case 32,16,32,32").succeed();
    let lines = lines(&output.stdout);
    assert_eq!(lines.len(), 2, "{}", output.stdout);
    for (line, pairs) in lines.iter().zip([4, 32]) {
        assert_eq!(
            (line["bench"].as_str(), line["net"].as_str()),
            (Some("step"), Some("resnet18-cifar"))
        );
        assert_eq!((line["n"].as_u64(), line["threads"].as_u64()), (Some(pairs), Some(1)));
        let number = |key: &str| line[key].as_f64().unwrap_or_else(|| panic!("{key} of {line}"));
        assert!(0.0 < number("min_s") && number("min_s") <= number("median_s"), "{line}");
        assert!(
            number("median_s") <= number("max_s") && number("first_s") > 0.0,
            "{line}"
        );
        let rate = number("gflop") / number("median_s");
        assert!((number("gflop_per_s") / rate - 1.0).abs() < 1e-6, "{line}");
    }
    let number = |line: usize, key: &str| lines[line][key].as_f64().unwrap();
    // Operations grow with the images; weights are a part of the bytes and of the memory.
    let per_pair = number(1, "gflop") / number(0, "gflop");
    assert!((per_pair - 8.0).abs() < 0.1, "{per_pair}");
    assert!(number(1, "gbyte") > 4.0 * number(0, "gbyte"));
    assert!(number(1, "peak_mb") > number(0, "peak_mb"));
}

#[test]
fn a_case_that_fails_is_a_line_and_the_next_one_follows() {
    // A batch of one image has no variance.
    let output = bench("loss --json --repeats 1 --shape 1x8,16x8").run();
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(output.stderr.contains("1 of 2 cases fail on cpu"), "{}", output.stderr);
    let lines = lines(&output.stdout);
    assert!(lines[0]["error"].is_string() && lines[0]["n"] == 1, "{}", output.stdout);
    assert!(
        lines[1]["median_s"].is_f64() && lines[1]["takes"] == "direct",
        "{}",
        output.stdout
    );
}

#[test]
fn every_pass_of_a_networks_convolutions_is_listed_once() {
    let output = bench("ops --repeats 1 --images 1 --net resnet18-cifar --case 512-512-4px").succeed();
    let rows: Vec<&str> = output.stdout.lines().skip(1).collect();
    assert_eq!(rows.len(), 3, "{}", output.stdout);
    for (row, pass) in rows.iter().zip(["forward", "input", "weight"]) {
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(words[..3], ["512-512-4px-3x3-n1", pass, "cpu"], "{row}");
        assert!(words[6].parse::<f64>().unwrap() > 0.0, "GFLOP/s: {row}");
    }
}

#[test]
fn conformance_of_one_name_is_that_alone() {
    let output = Program::new()
        .args(["conformance", "--backend", "cpu", "--json", "--case", "7x7"])
        .succeed();
    let lines = lines(&output.stdout);
    let named = |line: &Value| line["name"].as_str().is_some_and(|name| name.contains("7x7"));
    assert!(lines.len() == 3 && lines.iter().all(named), "{}", output.stdout);
}

use std::collections::BTreeSet;

use prost::Message as _;

use super::proto::{Attribute, Dimension, Graph, Model, Node, OperatorSet, Tensor, ValueInfo};
use super::tests::node;
use super::*;

fn with(node: Node, attribute: &Attribute) -> Node {
    Node { attribute: vec![attribute.encode_to_vec()], ..node }
}

/// A network of these nodes from `input` to `features`.
fn trunk(nodes: Vec<Node>, weights: Vec<Tensor>) -> Trunk {
    let free = || Dimension { value: None, name: Some("N".to_owned()) };
    let model = Model {
        ir_version: 8,
        opset_import: vec![OperatorSet { domain: String::new(), version: 13 }],
        graph: Some(Graph {
            node: nodes,
            initializer: weights,
            input: vec![ValueInfo::floats("input", free(), &[3, 8, 8])],
            output: vec![ValueInfo::floats("features", free(), &[3])],
            ..Graph::default()
        }),
        ..Model::default()
    };
    Trunk::of(&model.encode_to_vec(), None).unwrap()
}

/// `input → Conv a → Relu → Conv b → Add (past b) → GlobalAveragePool → Flatten`.
fn residual() -> Trunk {
    let weight = |name: &str| Tensor::floats(name, &[3, 3, 1, 1], &[0.5; 9]);
    let nodes = vec![
        node("Conv", &["input", "a"], "first"),
        node("Relu", &["first"], "active"),
        node("Conv", &["active", "b"], "second"),
        node("Add", &["second", "active"], "sum"),
        node("GlobalAveragePool", &["sum"], "pooled"),
        node("Flatten", &["pooled"], "features"),
    ];
    trunk(nodes, vec![weight("a"), weight("b")])
}

#[test]
fn a_cut_lies_where_a_single_value_passes() {
    let program = residual().program().unwrap();
    assert_eq!(program.layers(), 2);
    let last = program.cut(1);
    // Only `b` learns, but what goes past it passes too: one value after Relu.
    assert_eq!((last.value.as_str(), last.first), ("active", 2));
    assert_eq!(last.learning, ["b"]);
    let all = program.cut(usize::MAX);
    assert_eq!((all.value.as_str(), all.first), ("input", 0));
    assert_eq!(all.learning, ["a", "b"]);
}

#[test]
fn what_lies_below_a_cut_is_a_network_of_its_own() {
    let lower = residual().up_to("active");
    let steps = lower.program().unwrap().steps;
    let outputs: Vec<&str> = steps.iter().map(|step| step.output.as_str()).collect();
    assert_eq!(outputs, ["first", "active"]);
    assert_eq!(lower.program().unwrap().weights.len(), 1);
}

#[test]
fn a_network_takes_other_weights_and_stays_the_same_otherwise() {
    let changed = residual().with_weights([("b", [2.0; 9].as_slice())]).unwrap().program().unwrap();
    assert_eq!(changed.weights["b"].values, [2.0; 9]);
    assert_eq!(changed.weights["a"].values, [0.5; 9]);
    assert_eq!(changed.weights["b"].dims, [3, 3, 1, 1]);
    let short = residual().with_weights([("b", [2.0; 8].as_slice())]).unwrap_err();
    assert!(short.to_string().contains("no weight b of 8 values"), "{short}");
    assert!(residual().with_weights([("c", [2.0; 9].as_slice())]).is_err());
}

#[test]
fn operators_that_cannot_be_learned_through_are_all_named() {
    let pads = Attribute {
        name: "auto_pad".to_owned(),
        s: Some(b"SAME_UPPER".to_vec()),
        ..Attribute::default()
    };
    let nodes = vec![
        node("LSTM", &["input"], "one"),
        with(node("Conv", &["one", "a"], "two"), &pads),
        node("Gelu", &["two"], "features"),
    ];
    let weight = Tensor::floats("a", &[3, 3, 1, 1], &[0.5; 9]);
    let error = trunk(nodes, vec![weight]).program().unwrap_err().to_string();
    for name in ["LSTM", "Gelu", "Conv with these auto_pad"] {
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn bounds_and_shapes_are_read_from_constants() {
    let shape = Tensor { int64_data: vec![0, -1], dims: vec![2], ..Tensor::number("shape", 0) };
    let high = Attribute {
        name: "value".to_owned(),
        t: Some(Tensor::floats("", &[], &[6.0])),
        ..Attribute::default()
    };
    let nodes = vec![
        with(node("Constant", &[], "high"), &high),
        node("Clip", &["input", "low", "high"], "clipped"),
        node("GlobalAveragePool", &["clipped"], "pooled"),
        node("Reshape", &["pooled", "shape"], "features"),
    ];
    let program =
        trunk(nodes, vec![Tensor::floats("low", &[1], &[-1.0]), shape]).program().unwrap();
    let operators: Vec<Operator> = program.steps.iter().map(|step| step.operator).collect();
    let clip = Operator::Clip { low: Some(-1.0), high: Some(6.0) };
    assert_eq!(operators, [clip, Operator::GlobalAverage { map: true }, Operator::Flatten]);
    assert_eq!(program.steps[1].inputs, ["clipped"]);
}

#[test]
fn a_compact_network_is_one_that_can_be_learned_through() {
    let mut next = 0.0;
    let mut random = || {
        next += 0.1;
        next
    };
    let program = Trunk::of(&compact(64, &mut random), None).unwrap().program().unwrap();
    let weights: usize = program.weights.values().map(|weight| weight.values.len()).sum();
    assert!((1_400_000..1_700_000).contains(&weights), "{weights} weights");
    let cut = program.cut(usize::MAX);
    let learning: BTreeSet<&String> = cut.learning.iter().collect();
    // All but the mean and the variance of each normalisation.
    let kept = program.weights.keys().filter(|name| !learning.contains(name));
    assert!(kept.into_iter().all(|name| name.ends_with("mean") || name.ends_with("variance")));
}

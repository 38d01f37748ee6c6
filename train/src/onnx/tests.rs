use prost::Message as _;

use super::proto::{Attribute, Dimension, Graph, Model, Node, OperatorSet, Tensor, ValueInfo};
use super::*;

pub(super) fn node(operator: &str, inputs: &[&str], output: &str) -> Node {
    Node {
        op_type: operator.to_owned(),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: vec![output.to_owned()],
        ..Node::default()
    }
}

/// `input → GlobalAveragePool → Flatten → pooled → last nodes`, with a weight
/// for each node that wants one.
fn network(last: &[Node], outputs: &[&str]) -> Model {
    let free = || Dimension { value: None, name: Some("N".to_owned()) };
    let mut nodes =
        vec![node("GlobalAveragePool", &["input"], "pool"), node("Flatten", &["pool"], "pooled")];
    nodes.extend_from_slice(last);
    Model {
        ir_version: 8,
        opset_import: vec![OperatorSet { domain: String::new(), version: 13 }],
        graph: Some(Graph {
            node: nodes,
            initializer: vec![Tensor::floats("weight", &[3, 3], &[1.0; 9])],
            input: vec![ValueInfo::floats("input", free(), &[3, 8, 8])],
            output: outputs.iter().map(|name| ValueInfo::floats(name, free(), &[3])).collect(),
            ..Graph::default()
        }),
        ..Model::default()
    }
}

fn trunk(model: &Model) -> Result<Trunk, OnnxError> {
    Trunk::of(&model.encode_to_vec(), None)
}

fn operators(model: &[u8]) -> Vec<String> {
    let graph = Model::decode(model).unwrap().graph.unwrap();
    graph.node.iter().map(|node| node.op_type.clone()).collect()
}

#[test]
fn the_features_are_what_the_last_matrix_product_multiplies() {
    let head =
        [node("Gemm", &["pooled", "weight"], "raw"), node("Softmax", &["raw"], "probabilities")];
    let trunk = trunk(&network(&head, &["probabilities"])).unwrap();
    assert_eq!(trunk.features, "pooled");
    assert_eq!(trunk.nodes.len(), 2, "the head is gone");
    assert!(trunk.weights.is_empty(), "and so are its weights");
}

#[test]
fn an_output_called_features_is_taken_as_it_is() {
    let head = [
        node("Identity", &["pooled"], "features"),
        node("Conv", &["input", "weight"], "map"),
        node("GlobalAveragePool", &["map"], "logits"),
    ];
    let trunk = trunk(&network(&head, &["logits", "features"])).unwrap();
    assert_eq!((trunk.features.as_str(), trunk.nodes.len()), ("features", 3));
}

#[test]
fn a_head_that_is_no_matrix_product_is_refused_by_its_operator() {
    let head = [node("Conv", &["input", "weight"], "logits")];
    let error = trunk(&network(&head, &["logits"])).unwrap_err().to_string();
    assert!(error.contains("come from Conv"), "{error}");
}

#[test]
fn two_branches_share_an_input_and_no_names() {
    let head = [node("Gemm", &["pooled", "weight"], "logits")];
    let trunk = trunk(&network(&head, &["logits"])).unwrap();
    let shift = Shift { factor: [2.0; 3], offset: [1.0; 3] };
    let branches = [
        Branch { trunk: &trunk, width: 3, shift: None, mirrored: false },
        Branch { trunk: &trunk, width: 3, shift: Some(shift), mirrored: true },
    ];
    let head = Layer { weight: &[0.5; 12], bias: &[0.0; 2] };
    let bytes = build(&branches, &[head], [8, 8]).unwrap();
    let branch = ["GlobalAveragePool", "Flatten", "Flatten"];
    let mirrored = [&["Mul", "Add"], &branch[..], &["Slice"], &branch[..], &["Mean"]].concat();
    let expected = [&branch[..], &mirrored, &["Concat", "Gemm"]].concat();
    assert_eq!(operators(&bytes), expected);
    let graph = Model::decode(bytes.as_slice()).unwrap().graph.unwrap();
    let mut made: Vec<&str> =
        graph.node.iter().flat_map(|node| &node.output).map(String::as_str).collect();
    let all = made.len();
    made.sort_unstable();
    made.dedup();
    assert_eq!(made.len(), all, "a value is made twice");
    let outputs: Vec<&str> = graph.output.iter().map(|output| output.name.as_str()).collect();
    assert_eq!(outputs, [LOGITS, FEATURES]);
}

#[test]
fn operators_of_two_versions_do_not_stand_in_one_graph() {
    let head = [node("Gemm", &["pooled", "weight"], "logits")];
    let mut other = network(&head, &["logits"]);
    let one = trunk(&other).unwrap();
    other.opset_import[0].version = 17;
    let other = trunk(&other).unwrap();
    let branches =
        [&one, &other].map(|trunk| Branch { trunk, width: 3, shift: None, mirrored: false });
    let error = build(&branches, &[], [8, 8]).unwrap_err().to_string();
    assert!(error.contains("version 13 and 17"), "{error}");
}

#[test]
fn what_cannot_be_carried_over_is_refused_by_name() {
    let head = || vec![node("Gemm", &["pooled", "weight"], "logits")];
    let mut external = network(&head(), &["logits"]);
    external.graph.as_mut().unwrap().initializer[0].data_location = Tensor::EXTERNAL;
    assert!(trunk(&external).unwrap_err().to_string().contains("file of weights"));

    let branch = Attribute { name: "then_branch".to_owned(), kind: 5, ..Attribute::default() };
    let mut nodes = head();
    nodes.push(Node { attribute: vec![branch.encode_to_vec()], ..node("If", &["input"], "x") });
    let error = trunk(&network(&nodes, &["logits"])).unwrap_err().to_string();
    assert!(error.contains("operator If"), "{error}");

    let mut two = network(&head(), &["logits"]);
    let inputs = &mut two.graph.as_mut().unwrap().input;
    inputs.push(ValueInfo { name: "mask".to_owned(), ..inputs[0].clone() });
    assert!(trunk(&two).unwrap_err().to_string().contains("mask"));

    assert!(Trunk::of(b"not a model", None).is_err());
    assert!(Trunk::of(b"", None).is_err());
}

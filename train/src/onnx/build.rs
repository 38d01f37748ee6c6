//! Writing a graph: one branch for each backbone, their features side by
//! side, and a head on them.
//!
//! ```text
//! input ─┬─────────────▶ backbone 0 ─▶ Flatten ─┐
//!        └─ Mul ─ Add ─▶ backbone 1 ─▶ Flatten ─┴ Concat ─▶ features ─ Gemm ─▶ logits
//! ```
//! A head with a hidden layer has another Gemm and a Relu before the last.
//! A branch that looks at the mirrored picture too has its nodes twice, over
//! the same weights, and the mean of both.

use std::collections::HashSet;

use prost::Message as _;

use super::OnnxError;
use super::proto::{Attribute, Graph, Model, Node, OperatorSet, Tensor, ValueInfo};
use super::trunk::Trunk;

/// The graph's input: images `[N, 3, height, width]`.
pub const INPUT: &str = "input";
/// The graph's output of features: `[N, width]`.
pub const FEATURES: &str = "features";
/// The graph's output of logits: `[N, categories]`.
pub const LOGITS: &str = "logits";

/// What turns the graph's input into that of a branch: `x · factor + offset`
/// for each channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// Multiplied by, for each channel.
    pub factor: [f32; 3],
    /// Added, for each channel.
    pub offset: [f32; 3],
}

/// A backbone in a graph.
#[derive(Debug, Clone, Copy)]
pub struct Branch<'a> {
    /// The network up to its features.
    pub trunk: &'a Trunk,
    /// Values for each image.
    pub width: usize,
    /// What is done to the graph's input first, if anything.
    pub shift: Option<Shift>,
    /// Whether the features are the mean of the picture and its mirror image.
    pub mirrored: bool,
}

/// A layer of a head: `out = in · weightᵀ + bias`.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a> {
    /// `[out, in]`, row by row.
    pub weight: &'a [f32],
    /// `[out]`.
    pub bias: &'a [f32],
}

/// The bytes of an ONNX model with the output `features` and, with a head,
/// `logits`. The head's layers have rectified units between them; none is no head.
/// `size` is the height and width of an image.
///
/// # Errors
/// When the branches cannot stand in one graph.
pub fn build(
    branches: &[Branch<'_>],
    head: &[Layer<'_>],
    size: [u32; 2],
) -> Result<Vec<u8>, OnnxError> {
    let first = branches.first().ok_or(OnnxError::Missing("backbone"))?;
    let mut graph = Graph { name: "aisle".to_owned(), ..Graph::default() };
    let mut flat = Vec::new();
    for (number, branch) in branches.iter().enumerate() {
        flat.push(add_branch(&mut graph, number, branch));
    }
    let flat: Vec<&str> = flat.iter().map(String::as_str).collect();
    // With one branch too: `features` must not be the name of an inner value.
    graph.node.push(with_number("Concat", &flat, FEATURES, ("axis", 1)));
    let width = branches.iter().map(|branch| branch.width).sum();
    // A branch that takes one image at a time holds for all.
    let fixed = branches.iter().map(|b| &b.trunk.batch).find(|batch| batch.value.is_some());
    let batch = fixed.unwrap_or(&first.trunk.batch).clone();
    let [height, across] = size.map(|side| side as usize);
    graph.input.push(ValueInfo::floats(INPUT, batch.clone(), &[3, height, across]));
    if let Some((last, hidden)) = head.split_last() {
        let (mut value, mut across) = (FEATURES.to_owned(), width);
        for (nth, layer) in hidden.iter().enumerate() {
            let name = format!("head/hidden{nth}");
            add_layer(&mut graph, layer, &name, (&value, across), &format!("{name}/sum"));
            graph.node.push(node("Relu", &[&format!("{name}/sum")], &name));
            (value, across) = (name, layer.bias.len());
        }
        add_layer(&mut graph, last, "head", (&value, across), LOGITS);
        graph.output.push(ValueInfo::floats(LOGITS, batch.clone(), &[last.bias.len()]));
    }
    graph.output.push(ValueInfo::floats(FEATURES, batch, &[width]));
    let model = Model {
        ir_version: branches.iter().map(|b| b.trunk.ir_version).max().unwrap_or_default(),
        producer_name: "aisle".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(graph),
        opset_import: operators(branches)?,
        functions: functions(branches)?,
    };
    Ok(model.encode_to_vec())
}

/// Adds a layer of the head on a value that is so wide.
fn add_layer(
    graph: &mut Graph,
    layer: &Layer<'_>,
    name: &str,
    (value, width): (&str, usize),
    output: &str,
) {
    let [weight, bias] = ["weight", "bias"].map(|part| format!("{name}/{part}"));
    let units = layer.bias.len();
    graph.initializer.push(Tensor::floats(&weight, &[units, width], layer.weight));
    graph.initializer.push(Tensor::floats(&bias, &[units], layer.bias));
    let inputs = [value, weight.as_str(), bias.as_str()];
    graph.node.push(with_number("Gemm", &inputs, output, ("transB", 1)));
}

/// Adds a branch under names of its own; the name of its flat features.
fn add_branch(graph: &mut Graph, number: usize, branch: &Branch<'_>) -> String {
    let own = |name: &str| format!("backbone{number}/{name}");
    let mut input = INPUT.to_owned();
    if let Some(Shift { factor, offset }) = branch.shift {
        for (operator, values) in [("Mul", factor), ("Add", offset)] {
            let (constant, output) = (own(&format!("{operator}/by")), own(operator));
            graph.initializer.push(Tensor::floats(&constant, &[1, 3, 1, 1], &values));
            graph.node.push(node(operator, &[&input, &constant], &output));
            input = output;
        }
    }
    for tensor in &branch.trunk.weights {
        let name = own(&format!("weight/{}", tensor.name));
        graph.initializer.push(Tensor { name, ..tensor.clone() });
    }
    let plain = add_view(graph, branch.trunk, &own(""), "plain", &input);
    if !branch.mirrored {
        return plain;
    }
    // From the last column to the first, along the width.
    let numbers = [("starts", -1), ("ends", i64::MIN), ("axes", 3), ("steps", -1)];
    let numbers = numbers.map(|(name, value)| {
        let name = own(&format!("mirror/{name}"));
        graph.initializer.push(Tensor::number(&name, value));
        name
    });
    let mirror = own("mirror");
    let inputs: Vec<&str> = std::iter::once(&input).chain(&numbers).map(String::as_str).collect();
    graph.node.push(node("Slice", &inputs, &mirror));
    let mirrored = add_view(graph, branch.trunk, &own(""), "mirrored", &mirror);
    let mean = own("features");
    graph.node.push(node("Mean", &[&plain, &mirrored], &mean));
    mean
}

/// Adds a network's nodes for one view of the picture, over weights that are
/// there; the name of their flat features.
fn add_view(graph: &mut Graph, trunk: &Trunk, prefix: &str, view: &str, input: &str) -> String {
    let weights: HashSet<&str> = trunk.weights.iter().map(|tensor| tensor.name.as_str()).collect();
    let renamed = |name: &String| match name.as_str() {
        // An optional input that is left out has an empty name.
        "" => String::new(),
        name if name == trunk.input => input.to_owned(),
        name if weights.contains(name) => format!("{prefix}weight/{name}"),
        name => format!("{prefix}{view}/{name}"),
    };
    for (nth, inner) in trunk.nodes.iter().enumerate() {
        graph.node.push(Node {
            // Names of nodes may be left out, and must differ where they are not.
            name: format!("{prefix}{view}/{nth}-{}", inner.op_type),
            input: inner.input.iter().map(renamed).collect(),
            output: inner.output.iter().map(renamed).collect(),
            ..inner.clone()
        });
    }
    let flat = format!("{prefix}{view}-flat");
    graph.node.push(with_number("Flatten", &[&renamed(&trunk.features)], &flat, ("axis", 1)));
    flat
}

fn node(operator: &str, inputs: &[&str], output: &str) -> Node {
    Node {
        name: format!("{output}/{operator}"),
        op_type: operator.to_owned(),
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.to_owned()],
        ..Node::default()
    }
}

fn with_number(operator: &str, inputs: &[&str], output: &str, number: (&str, i64)) -> Node {
    let (name, value) = number;
    let attribute = Attribute::number(name, value).encode_to_vec();
    Node { attribute: vec![attribute], ..node(operator, inputs, output) }
}

/// Every domain once, in the version that all agree on.
fn operators(branches: &[Branch<'_>]) -> Result<Vec<OperatorSet>, OnnxError> {
    let mut all: Vec<OperatorSet> = Vec::new();
    for set in branches.iter().flat_map(|branch| &branch.trunk.operators) {
        match all.iter().find(|known| known.domain == set.domain) {
            None => all.push(set.clone()),
            Some(known) if known.version == set.version => {}
            Some(known) => {
                let (first, other) = (known.version, set.version);
                return Err(OnnxError::Operators { domain: set.domain.clone(), first, other });
            }
        }
    }
    Ok(all)
}

/// Functions have names of their own, which two networks may share.
fn functions(branches: &[Branch<'_>]) -> Result<Vec<Vec<u8>>, OnnxError> {
    let mut with = branches.iter().filter(|branch| !branch.trunk.functions.is_empty());
    let functions = with.next().map(|branch| branch.trunk.functions.clone()).unwrap_or_default();
    match with.next() {
        Some(_) => Err(OnnxError::Unsupported("more than one network with functions".to_owned())),
        None => Ok(functions),
    }
}

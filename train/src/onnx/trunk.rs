//! A network without its head: everything up to the features.

use std::collections::{HashMap, HashSet};

use prost::Message as _;

use super::OnnxError;
use super::build::{FEATURES, LOGITS};
use super::proto::{Attribute, Dimension, Graph, Model, Node, OperatorSet, Tensor, ValueInfo};

/// A network up to its features.
#[derive(Debug, Clone)]
pub struct Trunk {
    pub(super) ir_version: i64,
    pub(super) operators: Vec<OperatorSet>,
    pub(super) functions: Vec<Vec<u8>>,
    pub(super) nodes: Vec<Node>,
    pub(super) weights: Vec<Tensor>,
    /// The value that holds images.
    pub(super) input: String,
    /// The value that holds features, whatever its rank.
    pub(super) features: String,
    /// The size of a batch, a number or a name.
    pub(super) batch: Dimension,
}

impl Trunk {
    /// Takes the head off a network. The features are its output `features`,
    /// else what its last matrix product multiplies.
    ///
    /// # Errors
    /// When it is no ONNX model, has no features to be found, or has what
    /// cannot be carried over.
    pub fn of(model: &[u8], logits: Option<&str>) -> Result<Self, OnnxError> {
        let model = Model::decode(model)?;
        let graph = model.graph.ok_or(OnnxError::Missing("graph"))?;
        refuse_unsupported(&graph)?;
        let input = only_input(&graph)?;
        let features = features(&graph, logits)?;
        let free = || Dimension { value: None, name: Some("N".to_owned()) };
        let batch = input.batch().cloned().unwrap_or_else(free);
        let input = input.name.clone();
        let (nodes, weights) = needed(graph.node, graph.initializer, &features);
        Ok(Self {
            ir_version: model.ir_version,
            operators: model.opset_import,
            functions: model.functions,
            nodes,
            weights,
            input,
            features,
            batch,
        })
    }
}

fn refuse_unsupported(graph: &Graph) -> Result<(), OnnxError> {
    if !graph.sparse_initializer.is_empty() {
        return Err(OnnxError::Unsupported("a sparse weight".to_owned()));
    }
    if graph.initializer.iter().any(|tensor| tensor.data_location == Tensor::EXTERNAL) {
        let what = "a file of weights beside the network's";
        return Err(OnnxError::Unsupported(what.to_owned()));
    }
    for node in &graph.node {
        for attribute in &node.attribute {
            // A graph within a node uses names of the one around it.
            let attribute = Attribute::decode(attribute.as_slice())?;
            if Attribute::GRAPHS.contains(&attribute.kind) {
                return Err(OnnxError::Unsupported(format!("the operator {}", node.op_type)));
            }
        }
    }
    Ok(())
}

/// The input; older graphs list their weights as inputs too.
fn only_input(graph: &Graph) -> Result<&ValueInfo, OnnxError> {
    let is_weight = |input: &ValueInfo| graph.initializer.iter().any(|w| w.name == input.name);
    let inputs: Vec<_> = graph.input.iter().filter(|input| !is_weight(input)).collect();
    match inputs.as_slice() {
        [only] => Ok(only),
        [] => Err(OnnxError::Missing("input")),
        more => Err(OnnxError::Inputs(more.iter().map(|input| input.name.clone()).collect())),
    }
}

fn features(graph: &Graph, logits: Option<&str>) -> Result<String, OnnxError> {
    if graph.output.iter().any(|output| output.name == FEATURES) {
        return Ok(FEATURES.to_owned());
    }
    let named = |name: &str| graph.output.iter().find(|output| output.name == name);
    let output = match logits {
        Some(name) => named(name),
        None => named(LOGITS).or(graph.output.first()),
    };
    let mut value = output.ok_or(OnnxError::Missing("output"))?.name.as_str();
    let is_weight = |name: &str| graph.initializer.iter().any(|tensor| tensor.name == name);
    // At most every node lies between; a graph has no circles, a broken file may.
    for _ in 0..=graph.node.len() {
        let made = graph.node.iter().find(|node| node.output.iter().any(|name| name == value));
        let node = made.ok_or_else(|| OnnxError::NoFeatures(value.to_owned()))?;
        let mut data = node.input.iter().filter(|name| !is_weight(name));
        let first = data.next().ok_or_else(|| OnnxError::NoFeatures(node.op_type.clone()))?;
        match node.op_type.as_str() {
            "Gemm" | "MatMul" if data.next().is_none() => return Ok(first.clone()),
            "Add" | "Identity" | "Softmax" | "LogSoftmax" | "Sigmoid" if data.next().is_none() => {
                value = first;
            }
            other => return Err(OnnxError::NoFeatures(other.to_owned())),
        }
    }
    Err(OnnxError::NoFeatures("a circle".to_owned()))
}

/// The nodes and weights that a value depends on, in their order.
pub(super) fn needed(
    nodes: Vec<Node>,
    weights: Vec<Tensor>,
    value: &str,
) -> (Vec<Node>, Vec<Tensor>) {
    let makers: HashMap<&str, usize> = (nodes.iter().enumerate())
        .flat_map(|(place, node)| node.output.iter().map(move |name| (name.as_str(), place)))
        .collect();
    let mut places = HashSet::new();
    let mut names: HashSet<String> = HashSet::from([value.to_owned()]);
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        let Some(place) = makers.get(value) else { continue };
        if places.insert(*place) {
            for input in nodes.get(*place).into_iter().flat_map(|node| &node.input) {
                names.insert(input.clone());
                open.push(input);
            }
        }
    }
    let weights = weights.into_iter().filter(|tensor| names.contains(&tensor.name));
    let weights = weights.collect();
    let kept = nodes.into_iter().enumerate().filter(|(place, _)| places.contains(place));
    (kept.map(|(_, node)| node).collect(), weights)
}

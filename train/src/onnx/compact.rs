//! A compact network with random weights: a residual network (He et al. 2016,
//! "Deep Residual Learning for Image Recognition") of 1.5 million weights,
//! whose normalisations become part of the graph as they are.
//!
//! ```text
//! input ▶ stem (to half) ▶ 1 block of 24 channels ▶ 2 of 48 ▶ 2 of 96 ▶ 2 of 192
//!       ▶ GlobalAveragePool ▶ Flatten ▶ features
//! ```
//! Each width but the first halves height and width.

use prost::Message as _;

use super::build::{FEATURES, INPUT};
use super::proto::{Attribute, Dimension, Graph, Model, Node, OperatorSet, Tensor, ValueInfo};

/// Channels of each stage, and its blocks.
const STAGES: [(usize, usize); 4] = [(24, 1), (48, 2), (96, 2), (192, 2)];

/// The graph so far.
struct Writer<'a> {
    graph: Graph,
    random: &'a mut dyn FnMut() -> f32,
    made: usize,
}

/// An ONNX model from images `[N, 3, size, size]` to features `[N, 192]`.
/// `random` draws from the standard normal distribution; weights have the
/// variance of He et al. 2015, "Delving Deep into Rectifiers", by what goes out.
#[must_use]
pub fn compact(size: u32, random: &mut dyn FnMut() -> f32) -> Vec<u8> {
    let free = || Dimension { value: None, name: Some("N".to_owned()) };
    let side = size as usize;
    let graph = Graph {
        name: "compact".to_owned(),
        input: vec![ValueInfo::floats(INPUT, free(), &[3, side, side])],
        ..Graph::default()
    };
    let mut writer = Writer { graph, random, made: 0 };
    let mut channels = 24;
    let stem = writer.conv(INPUT, [3, channels], 3, 2);
    let stem = writer.norm(&stem, channels, 1.0);
    let mut value = writer.relu(&stem);
    for (stage, (width, blocks)) in STAGES.into_iter().enumerate() {
        for block in 0..blocks {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            value = writer.block(&value, [channels, width], stride);
            channels = width;
        }
    }
    let pooled = writer.node("GlobalAveragePool", &[&value], &[]);
    let flat = Attribute::number("axis", 1);
    writer.named("Flatten", &[&pooled], FEATURES, &[flat]);
    let mut graph = writer.graph;
    graph.output.push(ValueInfo::floats(FEATURES, free(), &[channels]));
    let model = Model {
        ir_version: 8,
        producer_name: "aisle".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(graph),
        opset_import: vec![OperatorSet { domain: String::new(), version: 13 }],
        functions: Vec::new(),
    };
    model.encode_to_vec()
}

impl Writer<'_> {
    /// Two convolutions beside a way that leaves the value as it is, or fits it.
    fn block(&mut self, input: &str, [from, to]: [usize; 2], stride: i64) -> String {
        let first = self.conv(input, [from, to], 3, stride);
        let first = self.norm(&first, to, 1.0);
        let first = self.relu(&first);
        let second = self.conv(&first, [to, to], 3, 1);
        // Blocks begin as what goes past them (Goyal et al. 2017).
        let second = self.norm(&second, to, 0.0);
        let past = if from == to && stride == 1 {
            input.to_owned()
        } else {
            let fitted = self.conv(input, [from, to], 1, stride);
            self.norm(&fitted, to, 1.0)
        };
        let sum = self.node("Add", &[&second, &past], &[]);
        self.relu(&sum)
    }

    fn conv(&mut self, input: &str, [from, to]: [usize; 2], side: usize, stride: i64) -> String {
        #[expect(clippy::cast_precision_loss, reason = "a window of a few thousand weights")]
        let deviation = (2.0 / (to * side * side) as f32).sqrt();
        let values: Vec<f32> =
            (0..to * from * side * side).map(|_| deviation * (self.random)()).collect();
        let weight = self.weight("weight", &[to, from, side, side], &values);
        let pad = if side == 3 { 1 } else { 0 };
        let numbers = |name: &str, ints: &[i64]| Attribute {
            name: name.to_owned(),
            ints: ints.to_vec(),
            kind: Attribute::INTS,
            ..Attribute::default()
        };
        let attributes = [numbers("pads", &[pad; 4]), numbers("strides", &[stride; 2])];
        self.node("Conv", &[input, &weight], &attributes)
    }

    fn norm(&mut self, input: &str, channels: usize, scale: f32) -> String {
        let scale = self.weight("scale", &[channels], &vec![scale; channels]);
        let shift = self.weight("shift", &[channels], &vec![0.0; channels]);
        let mean = self.weight("mean", &[channels], &vec![0.0; channels]);
        let variance = self.weight("variance", &[channels], &vec![1.0; channels]);
        let epsilon = Attribute {
            name: "epsilon".to_owned(),
            f: Some(1e-5),
            kind: Attribute::FLOAT,
            ..Attribute::default()
        };
        let inputs = [input, &scale, &shift, &mean, &variance];
        self.node("BatchNormalization", &inputs, &[epsilon])
    }

    fn relu(&mut self, input: &str) -> String {
        self.node("Relu", &[input], &[])
    }

    /// Adds a weight under a name of its own.
    fn weight(&mut self, kind: &str, dims: &[usize], values: &[f32]) -> String {
        let name = format!("{}/{kind}", self.made);
        self.graph.initializer.push(Tensor::floats(&name, dims, values));
        name
    }

    fn node(&mut self, operator: &str, inputs: &[&str], attributes: &[Attribute]) -> String {
        let output = format!("{}/{operator}", self.made);
        self.named(operator, inputs, &output, attributes);
        output
    }

    fn named(&mut self, operator: &str, inputs: &[&str], output: &str, attributes: &[Attribute]) {
        self.made += 1;
        self.graph.node.push(Node {
            name: format!("{output}/node"),
            op_type: operator.to_owned(),
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            output: vec![output.to_owned()],
            attribute: attributes.iter().map(Attribute::encode_to_vec).collect(),
            ..Node::default()
        });
    }
}

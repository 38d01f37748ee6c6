//! A network as steps that can be learned through, and back: the same graph
//! with other weights.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use prost::Message as _;

use super::OnnxError;
use super::operator::{Context, Operator};
use super::proto::{Attribute, Node, Tensor};
use super::trunk::{Trunk, needed};

/// A network up to its features, step by step.
#[derive(Debug, Clone)]
pub struct Program {
    /// The name of the value that holds images `[N, 3, height, width]`.
    pub input: String,
    /// The name of the value that holds features, whatever its rank.
    pub output: String,
    /// The steps; each comes after those that it builds on.
    pub steps: Vec<Step>,
    /// Weights and constants by name.
    pub weights: BTreeMap<String, Weight>,
}

/// What one node computes of what.
#[derive(Debug, Clone)]
pub struct Step {
    /// What is computed.
    pub operator: Operator,
    /// Names of values or weights.
    pub inputs: Vec<String>,
    /// The name of what comes out.
    pub output: String,
}

/// A weight or a constant.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// The sizes of its dimensions.
    pub dims: Vec<usize>,
    /// Its values, row by row.
    pub values: Vec<f32>,
}

/// Where a network is cut in two: only what is above learns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The value that goes from below to above.
    pub value: String,
    /// The first step above.
    pub first: usize,
    /// The weights that learn, in the order of their steps.
    pub learning: Vec<String>,
}

impl Step {
    /// The inputs that learn: weights and biases, not the statistics of a
    /// normalisation and not the constants of a sum or product.
    #[must_use]
    pub fn learnable(&self) -> &[String] {
        match self.operator {
            Operator::Conv { .. } | Operator::Gemm { .. } | Operator::BatchNorm { .. } => {
                self.inputs.get(1..3.min(self.inputs.len())).unwrap_or_default()
            }
            Operator::Clip { .. }
            | Operator::Add
            | Operator::Mul
            | Operator::Concat
            | Operator::MaxPool { .. }
            | Operator::AveragePool { .. }
            | Operator::GlobalAverage { .. }
            | Operator::Flatten
            | Operator::Identity => &[],
        }
    }
}

impl Program {
    /// Layers: steps with weights that learn.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.steps.iter().filter(|step| !step.learnable().is_empty()).count()
    }

    /// Cuts below the last `layers` layers, at the nearest place where a single
    /// value passes; 0 cuts below the features, more than there are below the
    /// input.
    #[must_use]
    pub fn cut(&self, layers: usize) -> Cut {
        let with_weights: Vec<usize> = (self.steps.iter().enumerate())
            .filter(|(_, step)| !step.learnable().is_empty())
            .map(|(place, _)| place)
            .collect();
        let skipped = with_weights.len().saturating_sub(layers);
        let first_learning = with_weights.get(skipped).copied().unwrap_or(self.steps.len());
        let learning: Vec<String> = (self.steps.iter().skip(first_learning))
            .flat_map(Step::learnable)
            .filter(|name| self.weights.contains_key(*name))
            .cloned()
            .collect();
        let (first, value) = (0..=first_learning)
            .rev()
            .find_map(|first| Some((first, self.only_crossing(first)?)))
            .unwrap_or((0, self.input.clone()));
        Cut { value, first, learning: unique(learning) }
    }

    /// The one value that is made before a step and used from it on, if there
    /// is only one.
    fn only_crossing(&self, first: usize) -> Option<String> {
        let (before, after) = self.steps.split_at_checked(first)?;
        let made: BTreeSet<&str> = (before.iter().map(|step| step.output.as_str()))
            .chain(std::iter::once(self.input.as_str()))
            .collect();
        let used = after.iter().flat_map(|step| &step.inputs).chain(std::iter::once(&self.output));
        let crossing: BTreeSet<&str> =
            used.map(String::as_str).filter(|name| made.contains(name)).collect();
        let mut crossing = crossing.into_iter();
        let only = crossing.next()?;
        crossing.next().is_none().then(|| only.to_owned())
    }
}

/// Each name once, where it stands first: weights may be shared.
fn unique(names: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.into_iter().filter(|name| seen.insert(name.clone())).collect()
}

impl Trunk {
    /// The network as steps that can be learned through.
    ///
    /// # Errors
    /// When it computes by other operators, which are named.
    pub fn program(&self) -> Result<Program, OnnxError> {
        let mut constants: HashMap<&str, Tensor> =
            self.weights.iter().map(|tensor| (tensor.name.as_str(), tensor.clone())).collect();
        for node in self.nodes.iter().filter(|node| is_constant(node)) {
            if let (Some(output), Some(tensor)) = (node.output.first(), constant(node)?) {
                constants.insert(output, tensor);
            }
        }
        let floats = |name: &str| constants.get(name).and_then(Tensor::as_floats);
        let numbers = |name: &str| constants.get(name).and_then(Tensor::as_numbers);
        let (mut steps, mut unknown) = (Vec::new(), BTreeSet::new());
        for node in self.nodes.iter().filter(|node| !is_constant(node)) {
            match Context::new(node, &floats, &numbers)?.operator() {
                Ok(operator) => steps.push(step(operator, node)),
                Err(what) => {
                    unknown.insert(what);
                }
            }
        }
        if !unknown.is_empty() {
            return Err(OnnxError::Unlearnable(unknown.into_iter().collect()));
        }
        let mut weights = BTreeMap::new();
        for (name, tensor) in &constants {
            if let (Some(values), Some(dims)) = (tensor.as_floats(), tensor.sizes()) {
                weights.insert((*name).to_owned(), Weight { dims, values });
            }
        }
        let (input, output) = (self.input.clone(), self.features.clone());
        Ok(Program { input, output, steps, weights })
    }

    /// The network up to one of its values, as its features.
    #[must_use]
    pub fn up_to(&self, value: &str) -> Self {
        let (nodes, weights) = needed(self.nodes.clone(), self.weights.clone(), value);
        Self { nodes, weights, features: value.to_owned(), ..self.clone() }
    }

    /// The same network with other values for some of its weights.
    ///
    /// # Errors
    /// When there is no weight of that name with as many values.
    pub fn with_weights<'a>(
        &self,
        weights: impl IntoIterator<Item = (&'a str, &'a [f32])>,
    ) -> Result<Self, OnnxError> {
        let mut changed = self.clone();
        for (name, values) in weights {
            let fault = || OnnxError::Weight { name: name.to_owned(), values: values.len() };
            let found = changed.weights.iter_mut().find(|tensor| tensor.name == name);
            let tensor = found.ok_or_else(fault)?;
            let dims = tensor.sizes().ok_or_else(fault)?;
            if dims.iter().product::<usize>() != values.len() {
                return Err(fault());
            }
            *tensor = Tensor::floats(name, &dims, values);
        }
        Ok(changed)
    }
}

fn step(operator: Operator, node: &Node) -> Step {
    // What is a constant's by now is no input any more.
    let taken = match operator {
        Operator::Clip { .. }
        | Operator::GlobalAverage { .. }
        | Operator::Flatten
        | Operator::Identity => 1,
        Operator::Conv { .. }
        | Operator::Add
        | Operator::Mul
        | Operator::Concat
        | Operator::MaxPool { .. }
        | Operator::AveragePool { .. }
        | Operator::Gemm { .. }
        | Operator::BatchNorm { .. } => node.input.len(),
    };
    Step {
        operator,
        inputs: node.input.iter().take(taken).cloned().collect(),
        output: node.output.first().cloned().unwrap_or_default(),
    }
}

fn is_constant(node: &Node) -> bool {
    node.op_type == "Constant" && node.domain.is_empty()
}

fn constant(node: &Node) -> Result<Option<Tensor>, OnnxError> {
    for bytes in &node.attribute {
        let attribute = Attribute::decode(bytes.as_slice())?;
        if attribute.name == "value" {
            return Ok(attribute.t);
        }
    }
    Ok(None)
}

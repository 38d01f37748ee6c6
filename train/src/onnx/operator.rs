//! What a node computes, as far as it can be learned through.
//!
//! Meanings are those of ONNX's operator set 13
//! (`docs/Operators.md` in the repository onnx/onnx).

use std::collections::HashMap;

use prost::Message as _;

use super::proto::{Attribute, Node};

/// A window that moves over a map; height comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How far it moves.
    pub strides: [usize; 2],
    /// What is added around the map, before and after.
    pub pads: [(usize, usize); 2],
    /// How far its own points lie apart.
    pub dilations: [usize; 2],
}

/// What a node computes. A map is `[N, channels, height, width]`, a row is
/// `[N, width]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Operator {
    /// A convolution of a map by a weight `[out, in / group, height, width]`
    /// and perhaps a bias `[out]`.
    Conv {
        /// How the weight moves.
        window: Window,
        /// Into how many groups the channels fall.
        group: usize,
    },
    /// Values below and above are set to these.
    Clip {
        /// The lowest value.
        low: Option<f32>,
        /// The highest value.
        high: Option<f32>,
    },
    /// The sum of two values, or of a value and a constant.
    Add,
    /// The product of two values, or of a value and a constant.
    Mul,
    /// Maps one after the other by channels, or rows side by side.
    Concat,
    /// The largest value of each window.
    MaxPool {
        /// Height and width of the window.
        kernel: [usize; 2],
        /// How it moves.
        window: Window,
        /// Whether a window may reach past the end.
        ceil: bool,
    },
    /// The mean of each window.
    AveragePool {
        /// Height and width of the window.
        kernel: [usize; 2],
        /// How it moves.
        window: Window,
        /// Whether a window may reach past the end.
        ceil: bool,
        /// Whether what was added around the map counts.
        count_pads: bool,
    },
    /// The mean of each channel, as a map of height and width 1, or as a row.
    GlobalAverage {
        /// Whether it stays a map.
        map: bool,
    },
    /// A map as a row.
    Flatten,
    /// A row times a weight, and perhaps plus a bias `[out]`.
    Gemm {
        /// Whether the weight is `[out, in]`, not `[in, out]`.
        transposed: bool,
    },
    /// Each channel normalised by its mean and variance.
    BatchNorm {
        /// Added to the variance.
        epsilon: f64,
    },
    /// The value as it is.
    Identity,
}

/// A node's attributes, and the constants that it may read.
pub(super) struct Context<'a> {
    attributes: HashMap<String, Attribute>,
    node: &'a Node,
    floats: &'a dyn Fn(&str) -> Option<Vec<f32>>,
    numbers: &'a dyn Fn(&str) -> Option<Vec<i64>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        node: &'a Node,
        floats: &'a dyn Fn(&str) -> Option<Vec<f32>>,
        numbers: &'a dyn Fn(&str) -> Option<Vec<i64>>,
    ) -> Result<Self, prost::DecodeError> {
        let decoded = node.attribute.iter().map(|bytes| Attribute::decode(bytes.as_slice()));
        let named = decoded.map(|each| each.map(|attribute| (attribute.name.clone(), attribute)));
        Ok(Self { attributes: named.collect::<Result<_, _>>()?, node, floats, numbers })
    }

    /// The operator; otherwise why it is none of ours.
    pub(super) fn operator(&self) -> Result<Operator, String> {
        let name = self.node.op_type.as_str();
        if !self.node.domain.is_empty() {
            return Err(format!("{name} of {}", self.node.domain));
        }
        let found = match name {
            "Conv" => self.window().zip(self.size("group", 1)).map(Self::conv),
            "Relu" => Some(Operator::Clip { low: Some(0.0), high: None }),
            "Clip" => self.clip(),
            "Add" => Some(Operator::Add),
            "Mul" => Some(Operator::Mul),
            "Concat" => (self.number("axis", 0) == 1).then_some(Operator::Concat),
            "MaxPool" => self.pool().map(|(kernel, window)| {
                let ceil = self.number("ceil_mode", 0) != 0;
                Operator::MaxPool { kernel, window, ceil }
            }),
            "AveragePool" => self.pool().map(|(kernel, window)| {
                let ceil = self.number("ceil_mode", 0) != 0;
                let count_pads = self.number("count_include_pad", 0) != 0;
                Operator::AveragePool { kernel, window, ceil, count_pads }
            }),
            "GlobalAveragePool" => Some(Operator::GlobalAverage { map: true }),
            "ReduceMean" => (self.axes() == Some(vec![2, 3])).then(|| {
                let map = self.number("keepdims", 1) != 0;
                Operator::GlobalAverage { map }
            }),
            "Flatten" => (self.number("axis", 1) == 1).then_some(Operator::Flatten),
            "Squeeze" => (self.axes() == Some(vec![2, 3])).then_some(Operator::Flatten),
            "Reshape" => self.flattens().then_some(Operator::Flatten),
            "Gemm" => self.gemm(),
            "MatMul" => Some(Operator::Gemm { transposed: false }),
            "BatchNormalization" => (self.number("training_mode", 0) == 0)
                .then(|| Operator::BatchNorm { epsilon: self.float("epsilon", 1e-5) }),
            "Identity" | "Dropout" => Some(Operator::Identity),
            _ => return Err(name.to_owned()),
        };
        found.ok_or_else(|| {
            let settings: Vec<&str> = self.attributes.keys().map(String::as_str).collect();
            format!("{name} with these {}", settings.join(", "))
        })
    }

    const fn conv((window, group): (Window, usize)) -> Operator {
        Operator::Conv { window, group }
    }

    fn number(&self, name: &str, default: i64) -> i64 {
        self.attributes.get(name).and_then(|attribute| attribute.i).unwrap_or(default)
    }

    fn size(&self, name: &str, default: i64) -> Option<usize> {
        usize::try_from(self.number(name, default)).ok()
    }

    fn float(&self, name: &str, default: f32) -> f64 {
        f64::from(self.attributes.get(name).and_then(|attribute| attribute.f).unwrap_or(default))
    }

    fn sizes<const N: usize>(&self, name: &str) -> Option<Option<[usize; N]>> {
        let Some(attribute) = self.attributes.get(name) else { return Some(None) };
        let sizes: Option<Vec<usize>> =
            attribute.ints.iter().map(|value| usize::try_from(*value).ok()).collect();
        Some(Some(sizes?.try_into().ok()?))
    }

    /// Strides, pads and dilations; `None` where the graph leaves them to
    /// whoever runs it.
    fn window(&self) -> Option<Window> {
        let auto = self.attributes.get("auto_pad").and_then(|attribute| attribute.s.as_deref());
        if !matches!(auto, None | Some(b"NOTSET" | b"VALID")) {
            return None;
        }
        let [top, left, bottom, right] = self.sizes("pads")?.unwrap_or([0; 4]);
        Some(Window {
            strides: self.sizes("strides")?.unwrap_or([1; 2]),
            pads: [(top, bottom), (left, right)],
            dilations: self.sizes("dilations")?.unwrap_or([1; 2]),
        })
    }

    fn pool(&self) -> Option<([usize; 2], Window)> {
        // A second output says where the largest values were.
        if self.node.output.iter().filter(|name| !name.is_empty()).count() > 1 {
            return None;
        }
        Some((self.sizes("kernel_shape")??, self.window()?))
    }

    /// Bounds are inputs since operator set 11, attributes before.
    fn clip(&self) -> Option<Operator> {
        let bound = |place: usize, name: &str| match self.node.input.get(place) {
            Some(input) if !input.is_empty() => match (self.floats)(input)?.as_slice() {
                [only] => Some(Some(*only)),
                _ => None,
            },
            _ => Some(self.attributes.get(name).and_then(|attribute| attribute.f)),
        };
        Some(Operator::Clip { low: bound(1, "min")?, high: bound(2, "max")? })
    }

    fn gemm(&self) -> Option<Operator> {
        #[expect(clippy::float_cmp, reason = "a factor that is not exactly 1 changes the product")]
        let plain = self.float("alpha", 1.0) == 1.0 && self.float("beta", 1.0) == 1.0;
        let upright = self.number("transA", 0) == 0;
        let transposed = self.number("transB", 0) != 0;
        (plain && upright).then_some(Operator::Gemm { transposed })
    }

    /// Axes, an input since operator set 13 or 18 and an attribute before,
    /// counted from the start of a map.
    fn axes(&self) -> Option<Vec<i64>> {
        let axes = match self.node.input.get(1).filter(|name| !name.is_empty()) {
            Some(input) => (self.numbers)(input)?,
            None => self.attributes.get("axes")?.ints.clone(),
        };
        let mut axes: Vec<i64> =
            axes.into_iter().map(|axis| if axis < 0 { axis + 4 } else { axis }).collect();
        axes.sort_unstable();
        Some(axes)
    }

    /// Whether a `Reshape` leaves the batch and flattens the rest.
    fn flattens(&self) -> bool {
        let shape = self.node.input.get(1).and_then(|name| (self.numbers)(name));
        matches!(shape.as_deref(), Some([0, _]))
            || matches!(shape.as_deref(), Some([-1, width]) if *width > 0)
    }
}

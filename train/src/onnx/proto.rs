//! The messages of ONNX as far as graphs are taken apart and joined here.
//!
//! Field numbers are those of `onnx/onnx.proto` in the repository onnx/onnx
//! (IR version 10). What is only carried over stays bytes, so that nothing of
//! it is lost. `training_info` and what annotates values are left behind.

/// `ModelProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Model {
    #[prost(int64, tag = "1")]
    pub(super) ir_version: i64,
    #[prost(string, tag = "2")]
    pub(super) producer_name: String,
    #[prost(string, tag = "3")]
    pub(super) producer_version: String,
    #[prost(message, optional, tag = "7")]
    pub(super) graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    pub(super) opset_import: Vec<OperatorSet>,
    #[prost(bytes = "vec", repeated, tag = "25")]
    pub(super) functions: Vec<Vec<u8>>,
}

/// `OperatorSetIdProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct OperatorSet {
    #[prost(string, tag = "1")]
    pub(super) domain: String,
    #[prost(int64, tag = "2")]
    pub(super) version: i64,
}

/// `GraphProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub(super) node: Vec<Node>,
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) initializer: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    pub(super) input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    pub(super) output: Vec<ValueInfo>,
    #[prost(bytes = "vec", repeated, tag = "15")]
    pub(super) sparse_initializer: Vec<Vec<u8>>,
}

/// `NodeProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Node {
    #[prost(string, repeated, tag = "1")]
    pub(super) input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(super) output: Vec<String>,
    #[prost(string, tag = "3")]
    pub(super) name: String,
    #[prost(string, tag = "4")]
    pub(super) op_type: String,
    /// Each an `AttributeProto`.
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub(super) attribute: Vec<Vec<u8>>,
    #[prost(string, tag = "7")]
    pub(super) domain: String,
    #[prost(string, tag = "8")]
    pub(super) overload: String,
}

/// `AttributeProto`, without graphs.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Attribute {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(float, optional, tag = "2")]
    pub(super) f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    pub(super) i: Option<i64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(super) s: Option<Vec<u8>>,
    #[prost(message, optional, tag = "5")]
    pub(super) t: Option<Tensor>,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub(super) ints: Vec<i64>,
    #[prost(int32, tag = "20")]
    pub(super) kind: i32,
}

impl Attribute {
    /// `AttributeType.FLOAT`.
    pub(super) const FLOAT: i32 = 1;
    /// `AttributeType.INT`.
    pub(super) const INT: i32 = 2;
    /// `AttributeType.INTS`.
    pub(super) const INTS: i32 = 7;
    /// `AttributeType.GRAPH` and `GRAPHS`.
    pub(super) const GRAPHS: [i32; 2] = [5, 10];

    /// A whole number.
    pub(super) fn number(name: &str, value: i64) -> Self {
        Self { name: name.to_owned(), i: Some(value), kind: Self::INT, ..Self::default() }
    }
}

/// `TensorProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Tensor {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub(super) dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(super) data_type: i32,
    #[prost(float, repeated, tag = "4")]
    pub(super) float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    pub(super) int32_data: Vec<i32>,
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub(super) string_data: Vec<Vec<u8>>,
    #[prost(int64, repeated, tag = "7")]
    pub(super) int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    pub(super) name: String,
    #[prost(bytes = "vec", optional, tag = "9")]
    pub(super) raw_data: Option<Vec<u8>>,
    #[prost(double, repeated, tag = "10")]
    pub(super) double_data: Vec<f64>,
    #[prost(uint64, repeated, tag = "11")]
    pub(super) uint64_data: Vec<u64>,
    #[prost(int32, tag = "14")]
    pub(super) data_location: i32,
}

impl Tensor {
    /// `DataType.FLOAT`.
    const FLOAT: i32 = 1;
    /// `DataType.INT64`.
    const INT64: i32 = 7;
    /// `DataLocation.EXTERNAL`.
    pub(super) const EXTERNAL: i32 = 1;

    /// A whole number as a list of one.
    pub(super) fn number(name: &str, value: i64) -> Self {
        Self {
            name: name.to_owned(),
            dims: vec![1],
            data_type: Self::INT64,
            int64_data: vec![value],
            ..Self::default()
        }
    }

    /// The sizes of the dimensions; `None` where one is below 0.
    pub(super) fn sizes(&self) -> Option<Vec<usize>> {
        self.dims.iter().map(|dim| usize::try_from(*dim).ok()).collect()
    }

    /// The values of a tensor of single precision, row by row; `None` where it
    /// is of another type, or has not as many as its dimensions say.
    pub(super) fn as_floats(&self) -> Option<Vec<f32>> {
        if self.data_type != Self::FLOAT {
            return None;
        }
        let values = match &self.raw_data {
            Some(bytes) => {
                let (chunks, rest) = bytes.as_chunks::<4>();
                rest.is_empty()
                    .then(|| chunks.iter().map(|four| f32::from_le_bytes(*four)))?
                    .collect()
            }
            None => self.float_data.clone(),
        };
        let wanted = self.sizes()?.into_iter().try_fold(1_usize, usize::checked_mul)?;
        (values.len() == wanted).then_some(values)
    }

    /// The values of a tensor of whole numbers.
    pub(super) fn as_numbers(&self) -> Option<Vec<i64>> {
        if self.data_type != Self::INT64 {
            return None;
        }
        match &self.raw_data {
            Some(bytes) => {
                let (chunks, rest) = bytes.as_chunks::<8>();
                let numbers = chunks.iter().map(|eight| i64::from_le_bytes(*eight));
                rest.is_empty().then(|| numbers.collect())
            }
            None => Some(self.int64_data.clone()),
        }
    }

    /// A tensor of single precision.
    pub(super) fn floats(name: &str, dims: &[usize], values: &[f32]) -> Self {
        Self {
            name: name.to_owned(),
            dims: dims.iter().map(|dim| i64::try_from(*dim).unwrap_or(i64::MAX)).collect(),
            data_type: Self::FLOAT,
            raw_data: Some(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            ..Self::default()
        }
    }
}

/// `ValueInfoProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ValueInfo {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) kind: Option<Type>,
}

/// `TypeProto` of a tensor.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Type {
    #[prost(message, optional, tag = "1")]
    pub(super) tensor: Option<TensorType>,
}

/// `TypeProto.Tensor`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TensorType {
    #[prost(int32, tag = "1")]
    pub(super) elem_type: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) shape: Option<Shape>,
}

/// `TensorShapeProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Shape {
    #[prost(message, repeated, tag = "1")]
    pub(super) dim: Vec<Dimension>,
}

/// `TensorShapeProto.Dimension`: a number or a name.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Dimension {
    #[prost(int64, optional, tag = "1")]
    pub(super) value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub(super) name: Option<String>,
}

impl ValueInfo {
    /// A tensor of single precision; its first dimension is the batch.
    pub(super) fn floats(name: &str, batch: Dimension, rest: &[usize]) -> Self {
        let fixed = |dim: &usize| Dimension { value: i64::try_from(*dim).ok(), name: None };
        let dim = std::iter::once(batch).chain(rest.iter().map(fixed)).collect();
        let tensor = TensorType { elem_type: Tensor::FLOAT, shape: Some(Shape { dim }) };
        Self { name: name.to_owned(), kind: Some(Type { tensor: Some(tensor) }) }
    }

    /// The first dimension.
    pub(super) fn batch(&self) -> Option<&Dimension> {
        self.kind.as_ref()?.tensor.as_ref()?.shape.as_ref()?.dim.first()
    }
}

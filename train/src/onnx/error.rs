//! What can be wrong with a graph.

/// Why a network cannot serve as a backbone.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// The file is no ONNX model.
    #[error("the network is no ONNX model: {0}")]
    Decode(#[from] prost::DecodeError),
    /// Something that every graph has is missing.
    #[error("the network has no {0}")]
    Missing(&'static str),
    /// The network takes more than an image.
    #[error("the network has the inputs {0:?}, not one")]
    Inputs(Vec<String>),
    /// It is not clear what the head stands on.
    #[error(
        "the network has no output called features, and its logits come from {0}, not from \
         Gemm or MatMul: it is not known what a new head should stand on"
    )]
    NoFeatures(String),
    /// The graph has something that cannot be carried over.
    #[error("the network cannot be joined with a new head: {0} is not supported")]
    Unsupported(String),
    /// The network computes by what cannot be learned through.
    #[error(
        "the network cannot be learned through: it uses {0:?}. What can be: Conv, Gemm, MatMul by \
         a weight, BatchNormalization, Relu, Clip, Add, Mul, Concat of channels, MaxPool, \
         AveragePool, GlobalAveragePool, Flatten, and what only flattens or passes on"
    )]
    Unlearnable(Vec<String>),
    /// Weights do not fit the network.
    #[error("the network has no weight {name} of {values} values")]
    Weight {
        /// Its name.
        name: String,
        /// How many values were given.
        values: usize,
    },
    /// Two networks are written in different versions of the operators.
    #[error(
        "the networks use version {first} and {other} of the operators of {domain:?}: export them with the same version"
    )]
    Operators {
        /// The domain, empty for ONNX's own.
        domain: String,
        /// The first network's version.
        first: i64,
        /// Another's.
        other: i64,
    },
}

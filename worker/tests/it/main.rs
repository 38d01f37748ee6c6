//! Real photographs through real networks. Needs `../shared` beside the
//! repository and the ONNX Runtime library in `.runtime/onnxruntime`; where
//! either is absent, each test says that it skipped, and passes.

mod classifier;
mod pipeline;
mod real;
mod shop;

//! Real photographs through real networks. Needs `../shared` beside the
//! repository and the ONNX Runtime library in `.runtime/onnxruntime`; where
//! either is absent, each test says that it skipped, and passes.

#[cfg(test)]
mod classifier;
#[cfg(test)]
mod pipeline;
#[cfg(test)]
mod real;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod tuning;

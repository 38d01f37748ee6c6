//! A real ONNX network of a few hundred bytes, written by the tests
//! themselves: it averages each colour channel and answers with the colour
//! that dominates. Everything a large network goes through, it goes through.
//!
//! Wire format: Protocol Buffers encoding; field numbers from `onnx.proto`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The categories in the order of the network's output: a hierarchy of two
/// levels.
pub const LABELS: [&str; 3] = ["Warm > Red", "Cold > Green", "Cold > Blue"];

/// Side of the network's square input in pixels.
pub const INPUT_SIDE: u32 = 32;

/// Writes the model folder `<models>/<name>` in the Hugging Face layout.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(models: &Path, name: &str) -> io::Result<PathBuf> {
    let folder = models.join(name);
    fs::create_dir_all(&folder)?;
    let id2label: serde_json::Map<_, _> = LABELS
        .iter()
        .enumerate()
        .map(|(id, label)| (id.to_string(), serde_json::Value::from(*label)))
        .collect();
    let config = serde_json::json!({
        "architectures": ["ImageClassification"],
        "num_labels": LABELS.len(),
        "id2label": id2label,
    });
    let preprocessor = serde_json::json!({
        "image_processor_type": "ViTImageProcessor",
        "do_resize": true,
        "size": {"height": INPUT_SIDE, "width": INPUT_SIDE},
        "resample": 2,
        "do_rescale": true,
        "rescale_factor": 1.0 / 255.0,
        "do_normalize": true,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    });
    fs::write(folder.join("config.json"), config.to_string())?;
    fs::write(folder.join("preprocessor_config.json"), preprocessor.to_string())?;
    fs::write(folder.join("model.onnx"), onnx(WEIGHT))?;
    Ok(folder)
}

/// Writes the model folder `<models>/<name>` with so many mebibytes of weights
/// more that the network does not use.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_heavy(models: &Path, name: &str, mib: usize) -> io::Result<PathBuf> {
    let folder = write(models, name)?;
    let network = folder.join("model.onnx");
    let values = vec![0.5; mib << 18];
    let mut graph = Vec::new();
    message(&mut graph, 5, &tensor("unused", &[values.len() as u64], &values));
    // A field that comes twice is one message, put together of both.
    let mut whole = fs::read(&network)?;
    message(&mut whole, 7, &graph);
    fs::write(network, whole)?;
    Ok(folder)
}

/// Writes `onnx/model_<name>.onnx` into a model folder, as published folders
/// name other networks of the same meaning; each logit is `scale` times the
/// network's own.
///
/// # Errors
/// When the file cannot be written.
pub fn write_variant(folder: &Path, name: &str, scale: f32) -> io::Result<()> {
    fs::create_dir_all(folder.join("onnx"))?;
    let network = onnx(WEIGHT.map(|weight| weight * scale));
    fs::write(folder.join("onnx").join(format!("model_{name}.onnx")), network)
}

/// From the mean of each colour channel to a logit for each category.
const WEIGHT: [f32; 9] = [10.0, 0.0, 0.0, 0.0, 10.0, 0.0, 0.0, 0.0, 10.0];

/// `input [N,3,32,32] → GlobalAveragePool → Flatten → Gemm → logits [N,3]`.
fn onnx(weight: [f32; 9]) -> Vec<u8> {
    let side = u64::from(INPUT_SIDE);
    let nodes = [
        node("GlobalAveragePool", &["input"], "pooled"),
        node("Flatten", &["pooled"], "features"),
        node("Gemm", &["features", "weight", "bias"], "logits"),
    ];
    let mut graph = Vec::new();
    for node in nodes {
        message(&mut graph, 1, &node);
    }
    message(&mut graph, 2, b"dominant-colour");
    message(&mut graph, 5, &tensor("weight", &[3, 3], &weight));
    message(&mut graph, 5, &tensor("bias", &[3], &[0.0, 0.0, 0.0]));
    message(&mut graph, 11, &value("input", &[3, side, side]));
    message(&mut graph, 12, &value("logits", &[3]));
    let mut opset = Vec::new();
    number(&mut opset, 2, 13);
    let mut model = Vec::new();
    number(&mut model, 1, 8);
    message(&mut model, 7, &graph);
    message(&mut model, 8, &opset);
    model
}

fn node(operator: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for input in inputs {
        message(&mut out, 1, input.as_bytes());
    }
    message(&mut out, 2, output.as_bytes());
    message(&mut out, 4, operator.as_bytes());
    out
}

fn tensor(name: &str, dimensions: &[u64], values: &[f32]) -> Vec<u8> {
    const FLOAT: u64 = 1;
    let mut out = Vec::new();
    for dimension in dimensions {
        number(&mut out, 1, *dimension);
    }
    number(&mut out, 2, FLOAT);
    message(&mut out, 8, name.as_bytes());
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    message(&mut out, 9, &raw);
    out
}

/// A float tensor whose first dimension is the free batch size `N`.
fn value(name: &str, dimensions: &[u64]) -> Vec<u8> {
    let mut shape = Vec::new();
    let mut batch = Vec::new();
    message(&mut batch, 2, b"N");
    message(&mut shape, 1, &batch);
    for dimension in dimensions {
        let mut fixed = Vec::new();
        number(&mut fixed, 1, *dimension);
        message(&mut shape, 1, &fixed);
    }
    let mut tensor_type = Vec::new();
    number(&mut tensor_type, 1, 1);
    message(&mut tensor_type, 2, &shape);
    let mut type_proto = Vec::new();
    message(&mut type_proto, 1, &tensor_type);
    let mut out = Vec::new();
    message(&mut out, 1, name.as_bytes());
    message(&mut out, 2, &type_proto);
    out
}

fn message(out: &mut Vec<u8>, field: u64, payload: &[u8]) {
    const LENGTH_DELIMITED: u64 = 2;
    varint(out, field << 3 | LENGTH_DELIMITED);
    varint(out, payload.len() as u64);
    out.extend_from_slice(payload);
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    const VARINT: u64 = 0;
    varint(out, field << 3 | VARINT);
    varint(out, value);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

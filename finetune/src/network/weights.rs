//! Weights that learn, by name. Each lies flat, so that an optimiser, an
//! average and a checkpoint need not know its shape.

use burn::tensor::{Device, Tensor, TensorData};

use crate::TuneError;

/// Weights that learn: names with their dimensions, and a flat tensor of each.
#[derive(Debug, Clone)]
pub(crate) struct Weights {
    pub(crate) names: Vec<String>,
    pub(crate) dims: Vec<Vec<usize>>,
    pub(crate) tensors: Vec<Tensor<1>>,
}

impl Weights {
    pub(crate) const fn new() -> Self {
        Self { names: Vec::new(), dims: Vec::new(), tensors: Vec::new() }
    }

    /// Adds a weight; `values` are row by row.
    pub(crate) fn push(&mut self, name: &str, dims: &[usize], values: &[f32], device: &Device) {
        self.names.push(name.to_owned());
        self.dims.push(dims.to_vec());
        self.tensors.push(tensor(values, device));
    }

    /// The tensor of that name with its dimensions.
    pub(crate) fn get(&self, name: &str) -> Option<(&Tensor<1>, &[usize])> {
        let place = self.names.iter().position(|known| known == name)?;
        Some((self.tensors.get(place)?, self.dims.get(place)?))
    }

    /// The same weights, each the start of a graph whose gradient is kept.
    pub(crate) fn tracked(&self) -> Self {
        let tensors = self.tensors.iter();
        let tensors = tensors.map(|tensor| tensor.clone().autodiff().require_grad());
        Self { tensors: tensors.collect(), ..self.clone() }
    }

    /// Numbers that learn.
    pub(crate) fn count(&self) -> usize {
        self.dims.iter().map(|dims| dims.iter().product::<usize>()).sum()
    }
}

/// A flat tensor.
pub(crate) fn tensor(values: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

/// The values of a tensor, row by row.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, TuneError> {
    let data = tensor.inner().into_data();
    data.try_into_vec().map_err(|error| TuneError::Tensor(format!("{error:?}")))
}

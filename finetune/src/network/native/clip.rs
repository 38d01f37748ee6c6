//! Clipping, with its gradient: that of what lies between the limits goes
//! through, that of what was clipped does not.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::{Autodiff, Flex};
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::{Native, Plain, native, numbers};

/// Numbers that one thread takes at once.
const PART: usize = 1 << 14;

/// Values with those outside the limits set to the nearer one; `None` on a
/// backend that is not the processor's.
pub(in crate::network) fn clip<const D: usize>(
    value: &Tensor<D>,
    low: f32,
    high: f32,
) -> Option<Tensor<D>> {
    let within = |value: f32| value.max(low).min(high);
    Some(match native(value.clone())? {
        Native::Plain(value) => {
            Tensor::from_primitive::<Flex>(each(&value, &value, |value, _| within(value)))
        }
        Native::Tracked(value) => {
            let (value, node) = value.into_parts();
            let clipped = each(&value, &value, |value, _| within(value));
            let tracked = match Slope.prepare::<NoCheckpointing>([node]).compute_bound().stateful()
            {
                OpsKind::Tracked(prepared) => {
                    prepared.finish((clipped.clone(), low, high), clipped)
                }
                OpsKind::UnTracked(prepared) => prepared.finish(clipped),
            };
            Tensor::from_primitive::<Autodiff<Flex>>(tracked)
        }
    })
}

#[derive(Debug)]
struct Slope;

impl Backward<Flex, 1> for Slope {
    type State = (Plain, f32, f32);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (clipped, low, high) = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, grads, |gradient| {
            each(
                &clipped,
                &gradient,
                |value, gradient| {
                    if value > low && value < high { gradient } else { 0.0 }
                },
            )
        });
    }
}

/// A number made of each two of tensors of one shape.
fn each(left: &Plain, right: &Plain, make: impl Fn(f32, f32) -> f32 + Sync) -> Plain {
    let made = numbers(left, |left| {
        numbers(right, |right| {
            let mut made = vec![0.0; left.len()];
            let parts = made.par_chunks_mut(PART).zip(left.par_chunks(PART));
            parts.zip(right.par_chunks(PART)).for_each(|((made, left), right)| {
                for ((made, left), right) in made.iter_mut().zip(left).zip(right) {
                    *made = make(*left, *right);
                }
            });
            made
        })
    });
    Plain::from_data(TensorData::new(made, left.layout().shape().clone()))
}

//! Products of matrices whose rows lie one after the other, as features do, by
//! `faer`: those of ndarray lay every row out anew before they multiply it by a
//! few categories, which takes longer than multiplying. One thread each, so the
//! sums have one order.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2};

/// `left · rightᵀ`: `[N, width]` by `[categories, width]`.
pub(super) fn by_rows(left: &ArrayView2<'_, f32>, right: &ArrayView2<'_, f32>) -> Array2<f32> {
    let mut product = Array2::zeros((left.nrows(), right.nrows()));
    match (view(left), view(right), view_mut(&mut product)) {
        (Some(left), Some(right), Some(product)) => {
            matmul(product, Accum::Replace, left, right.transpose(), 1.0, Par::Seq);
        }
        _ => general_mat_mul(1.0, left, &right.t(), 0.0, &mut product),
    }
    product
}

/// Adds `leftᵀ · right`: `[N, categories]` by `[N, width]`.
pub(super) fn add_by_columns(
    sum: &mut Array2<f32>,
    left: &ArrayView2<'_, f32>,
    right: &ArrayView2<'_, f32>,
) {
    match (view_mut(sum), view(left), view(right)) {
        (Some(sum), Some(left), Some(right)) => {
            matmul(sum, Accum::Add, left.transpose(), right, 1.0, Par::Seq);
        }
        _ => general_mat_mul(1.0, &left.t(), right, 1.0, sum),
    }
}

/// The same numbers, if their rows lie one after the other.
fn view<'a>(matrix: &ArrayView2<'a, f32>) -> Option<MatRef<'a, f32>> {
    let (rows, columns) = matrix.dim();
    matrix.to_slice().map(|numbers| MatRef::from_row_major_slice(numbers, rows, columns))
}

fn view_mut(matrix: &mut Array2<f32>) -> Option<MatMut<'_, f32>> {
    let (rows, columns) = matrix.dim();
    let numbers = matrix.as_slice_mut()?;
    Some(MatMut::from_row_major_slice_mut(numbers, rows, columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(rows: usize, columns: usize) -> Array2<f32> {
        Array2::from_shape_fn((rows, columns), |(row, column)| {
            ((row * 31 + column * 17) % 29) as f32 / 29.0 - 0.5
        })
    }

    fn is_near(a: &Array2<f32>, b: &Array2<f32>) -> bool {
        a.dim() == b.dim() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4)
    }

    #[test]
    fn products_are_those_of_ndarray_however_the_numbers_lie() {
        for (count, width, categories) in [(70, 33, 3), (1, 1, 1), (5, 200, 66), (0, 4, 2)] {
            let (features, weight) = (numbers(count, width), numbers(categories, width));
            let by_column = features.t().as_standard_layout().into_owned();
            for features in [features.view(), by_column.t()] {
                let logits = features.dot(&weight.t());
                assert!(is_near(&by_rows(&features, &weight.view()), &logits));
                let mut sum = weight.clone();
                add_by_columns(&mut sum, &logits.view(), &features);
                assert!(is_near(&sum, &(&weight + &logits.t().dot(&features))));
            }
        }
    }
}

//! How much each picture counts, so that a large category does not drown a
//! small one.

/// The share of all weight that pictures as they are keep beside views of them.
/// On photographs of clothes a head of MobileNetV2 became worse on photographs
/// as they are where it was a half, and at four fifths bore others nearly as
/// well.
const PLAIN: f32 = 0.8;

/// The weights of pictures, 1 together, of which only the first `plain` are as
/// they are and the others views of them, each of which is there as often.
pub(super) fn weights_with_views(labels: &[usize], plain: usize, balance: f64) -> Vec<f32> {
    let mut weights = weights(labels, balance);
    let (plain, views) = weights.split_at_mut(plain.min(labels.len()));
    if !views.is_empty() {
        for (part, share) in [(plain, PLAIN), (views, 1.0 - PLAIN)] {
            let sum: f32 = part.iter().sum();
            part.iter_mut().for_each(|weight| *weight *= share / sum);
        }
    }
    weights
}

/// A weight for each picture, 1 together: in proportion to the size of its
/// category to the power of `-balance`. 0 counts every picture alike, 1 every
/// category.
#[expect(clippy::cast_precision_loss, reason = "counts of pictures are far below 2^52")]
#[expect(clippy::cast_possible_truncation, reason = "the objective is of single precision")]
#[must_use]
pub fn weights(labels: &[usize], balance: f64) -> Vec<f32> {
    let categories = labels.iter().max().map_or(0, |most| most + 1);
    let mut counts = vec![0_usize; categories];
    for label in labels {
        if let Some(count) = counts.get_mut(*label) {
            *count += 1;
        }
    }
    let each: Vec<f64> =
        counts.iter().map(|count| (*count as f64).max(1.0).powf(-balance)).collect();
    let weight = |label: &usize| each.get(*label).copied().unwrap_or_default();
    let sum: f64 = labels.iter().map(weight).sum();
    labels.iter().map(|label| (weight(label) / sum) as f32).collect()
}

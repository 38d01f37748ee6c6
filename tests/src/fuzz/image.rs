//! Images: what their headers say, and their pixels.

use aisle_shared::image_probe::{self, ImageFormat, ImageLimits, Probed};
use aisle_worker::decode;

/// Small, so that thousands of images a second go through; decoding within
/// them takes at most some 40 MB.
const LIMITS: ImageLimits =
    ImageLimits { max_bytes: 1 << 20, max_side: 2_000, max_pixels: 1_000_000, max_aspect: 100 };

/// What passes has a size within the limits, and passes again with more bytes
/// behind it. They may complete a picture in a WebP that claims to go on there,
/// which then needs more room.
///
/// # Panics
/// When it does not.
pub fn probe(bytes: &[u8]) {
    let Ok(probed) = image_probe::probe(bytes, &LIMITS) else { return };
    let Probed { width, height, .. } = probed;
    let (long, short) = (width.max(height), width.min(height));
    assert!(short > 0 && long <= LIMITS.max_side && long <= short * LIMITS.max_aspect);
    assert!(u64::from(width) * u64::from(height) <= LIMITS.max_pixels);
    let mut more = bytes.to_vec();
    more.extend([0; 16]);
    if more.len() as u64 > LIMITS.max_bytes {
        return;
    }
    match image_probe::probe(&more, &LIMITS) {
        Ok(again) if again == probed => {}
        again => {
            assert_eq!(probed.format, ImageFormat::WebP, "{again:?}");
            let fits = |again: &Probed| again.width >= width && again.height >= height;
            assert!(again.as_ref().ok().is_none_or(fits), "{again:?}");
        }
    }
}

/// Pixels are never more than the header has announced, because that is what
/// was held against the limits.
///
/// # Panics
/// When they are.
pub fn decode(bytes: &[u8]) {
    let probed = image_probe::probe(bytes, &LIMITS);
    let Ok(decoded) = decode::decode(bytes, &LIMITS) else { return };
    let probed = probed.unwrap_or_else(|error| panic!("decoded though refused: {error}"));
    let (width, height) = decoded.pixels.dimensions();
    // Orientation may have turned it.
    let sides = |a: u32, b: u32| (a.min(b), a.max(b));
    let (found, announced) = (sides(width, height), sides(probed.width, probed.height));
    assert!(found.0 <= announced.0 && found.1 <= announced.1, "{found:?}: {announced:?}");
    assert_eq!((decoded.info.width, decoded.info.height), (width, height));
    assert_eq!(decoded.info.media_type, probed.format.media_type());
    assert_eq!(decoded.pixels.as_raw().len(), 3 * width as usize * height as usize);
}

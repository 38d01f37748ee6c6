//! What views are cut out of.

use aisle_worker::model::{Crop, Extent, Preprocessing, Resize, ResizeTo};
use aisle_worker::preprocess::Framing;

/// How much larger pictures are kept than they are seen, so that a cut-out of
/// them need not be enlarged much.
const LARGER: (u32, u32) = (8, 7);

/// A framing that shows more of a picture, or the same in more pixels.
#[must_use]
pub fn larger(steps: &Preprocessing) -> Framing {
    let framing = Framing::of(steps);
    let (Some(resize), output) = (framing.resize, framing.output) else { return framing };
    let more = |side: u32| side * LARGER.0 / LARGER.1;
    let (to, whole) = match resize.to {
        ResizeTo::ShortestEdge(edge) if output.height == output.width => {
            let edge = edge.max(more(output.height));
            (ResizeTo::ShortestEdge(edge), Extent { height: edge, width: edge })
        }
        ResizeTo::Exact(size) => {
            let size = Extent { height: more(size.height), width: more(size.width) };
            (ResizeTo::Exact(size), size)
        }
        ResizeTo::ShortestEdge(_)
        | ResizeTo::ShortestEdgeUpTo { .. }
        | ResizeTo::LongestEdge(_)
        | ResizeTo::Within(_) => return framing,
    };
    let resize = Some(Resize { to, ..resize });
    let crop = framing.crop.map(|crop| Crop { size: whole, ..crop });
    Framing { resize, crop, output: whole }
}

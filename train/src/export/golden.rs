//! Golden tensors: pictures made here, with what training computed of them at
//! every stage, so that any machine can prove that it computes the same.
//!
//! `golden/` holds for each picture its file, `NAME.pixels` (bytes, `[height,
//! width, 3]`), `NAME.tensor` (f32, `[3, height, width]`) and `NAME.logits`
//! (f32, `[categories]`), each row by row and little-endian; `golden.json`
//! names them with their shapes. The pictures show nobody's goods.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use serde_json::json;

/// A picture that is made here.
#[derive(Debug, Clone)]
pub struct GoldenPicture {
    /// Its file's name.
    pub name: &'static str,
    /// Its file.
    pub bytes: Vec<u8>,
}

/// A picture with what training computed of it.
#[derive(Debug, Clone)]
pub struct Golden {
    /// The picture.
    pub picture: GoldenPicture,
    /// Rows of packed RGB.
    pub pixels: Vec<u8>,
    /// Channels, rows, columns.
    pub tensor: Vec<f32>,
    /// For each category.
    pub logits: Vec<f32>,
}

impl GoldenPicture {
    /// One upright JPEG and one wide PNG, of sizes that no network takes.
    ///
    /// # Errors
    /// When the encoder fails.
    pub fn all() -> image::ImageResult<Vec<Self>> {
        let upright = picture(301, 437, ImageFormat::Jpeg)?;
        let wide = picture(523, 259, ImageFormat::Png)?;
        Ok(vec![
            Self { name: "upright.jpg", bytes: upright },
            Self { name: "wide.png", bytes: wide },
        ])
    }
}

/// Colours that flow into each other, with stripes that any wrong resizing or
/// turning moves.
fn picture(width: u32, height: u32, format: ImageFormat) -> image::ImageResult<Vec<u8>> {
    let share = |part: u32, whole: u32| u8::try_from(part * 255 / whole).unwrap_or(u8::MAX);
    let pixels = RgbImage::from_fn(width, height, |x, y| {
        let stripe = if (x / 16 + y / 24) % 3 == 0 { 2 } else { 1 };
        let both = share((x + y) / stripe, width + height);
        Rgb([share(x / stripe, width), share(y, height), both])
    });
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(pixels).write_to(&mut bytes, format)?;
    Ok(bytes.into_inner())
}

/// Writes pictures and tensors into a folder.
pub(super) fn write(
    folder: &Path,
    goldens: &[Golden],
    [height, width]: [u32; 2],
) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut index = Vec::new();
    for Golden { picture, pixels, tensor, logits } in goldens {
        let name = picture.name;
        std::fs::write(folder.join(name), &picture.bytes)?;
        std::fs::write(folder.join(format!("{name}.pixels")), pixels)?;
        std::fs::write(folder.join(format!("{name}.tensor")), bytes(tensor))?;
        std::fs::write(folder.join(format!("{name}.logits")), bytes(logits))?;
        index.push(json!({
            "picture": name,
            "pixels": [height, width, 3],
            "tensor": [3, height, width],
            "logits": [logits.len()],
        }));
    }
    std::fs::write(folder.join("golden.json"), format!("{:#}\n", json!(index)))
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

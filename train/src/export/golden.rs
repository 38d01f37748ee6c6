//! Golden tensors: pictures made here, with what training computed of them at
//! every stage, so that any machine can prove that it computes the same.
//!
//! `golden/` holds for each picture its file, `NAME.pixels` (bytes, `[height,
//! width, 3]`), `NAME.tensor` (f32, `[3, height, width]`) and `NAME.logits`
//! (f32, `[categories]`), each row by row and little-endian; `golden.json`
//! names them with their shapes and the best answers. The pictures show
//! nobody's goods.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use serde::{Deserialize, Serialize};

/// A picture that is made here.
#[derive(Debug, Clone, Default)]
pub struct GoldenPicture {
    /// Its file's name.
    pub name: String,
    /// Its file.
    pub bytes: Vec<u8>,
}

/// A picture with what training computed of it.
#[derive(Debug, Clone, Default)]
pub struct Golden {
    /// The picture.
    pub picture: GoldenPicture,
    /// Rows of packed RGB.
    pub pixels: Vec<u8>,
    /// Channels, rows, columns.
    pub tensor: Vec<f32>,
    /// For each category.
    pub logits: Vec<f32>,
    /// The best labels with their scores; none where they were not written.
    pub answers: Vec<(String, f32)>,
    /// What rounding may explain in a logit, where training knows: many large
    /// products can leave a small one.
    pub rounding: f64,
}

/// Why there are no goldens to read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct GoldenError {
    /// The file.
    path: PathBuf,
    /// What is wrong with it.
    problem: String,
}

/// A picture as `golden.json` names it.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    picture: String,
    pixels: [usize; 3],
    tensor: [usize; 3],
    logits: [usize; 1],
    #[serde(default)]
    answers: Vec<(String, f32)>,
    #[serde(default)]
    rounding: f64,
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
            Self { name: "upright.jpg".to_owned(), bytes: upright },
            Self { name: "wide.png".to_owned(), bytes: wide },
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
    let [high, wide] = [height, width].map(|side| side as usize);
    for Golden { picture, pixels, tensor, logits, answers, rounding } in goldens {
        let name = &picture.name;
        std::fs::write(folder.join(name), &picture.bytes)?;
        std::fs::write(folder.join(format!("{name}.pixels")), pixels)?;
        std::fs::write(folder.join(format!("{name}.tensor")), bytes(tensor))?;
        std::fs::write(folder.join(format!("{name}.logits")), bytes(logits))?;
        index.push(Entry {
            picture: name.clone(),
            pixels: [high, wide, 3],
            tensor: [3, high, wide],
            logits: [logits.len()],
            answers: answers.clone(),
            rounding: *rounding,
        });
    }
    let index = serde_json::to_string_pretty(&index).map_err(std::io::Error::other)?;
    std::fs::write(folder.join("golden.json"), format!("{index}\n"))
}

/// Reads what was written beside a model; `None` where there is nothing.
///
/// # Errors
/// When a file cannot be read, or has not as much in it as its shape says.
pub fn read_goldens(folder: &Path) -> Result<Option<Vec<Golden>>, GoldenError> {
    let index = folder.join("golden.json");
    let fault = |path: &Path, problem: String| GoldenError { path: path.to_owned(), problem };
    if !folder.exists() {
        return Ok(None);
    }
    let text = std::fs::read(&index).map_err(|error| fault(&index, error.to_string()))?;
    let entries: Vec<Entry> =
        serde_json::from_slice(&text).map_err(|error| fault(&index, error.to_string()))?;
    if entries.is_empty() {
        return Err(fault(&index, "names no picture".to_owned()));
    }
    let read = |entry: Entry| {
        let Entry { picture: name, pixels, tensor, logits, answers, rounding } = entry;
        // A name of the folder's maker leads nowhere else.
        if Path::new(&name).file_name() != Some(name.as_ref()) {
            return Err(fault(&index, format!("{name:?} is no name of a picture here")));
        }
        let file = |end: &str, size: Option<usize>| {
            let path = folder.join(format!("{name}{end}"));
            let bytes = std::fs::read(&path).map_err(|error| fault(&path, error.to_string()))?;
            match size {
                Some(size) if size != bytes.len() => {
                    let there = bytes.len();
                    Err(fault(&path, format!("{there} bytes, and golden.json says {size}")))
                }
                Some(_) | None => Ok(bytes),
            }
        };
        let size = |shape: &[usize], each: usize| {
            shape.iter().try_fold(each, |all, side| all.checked_mul(*side)).unwrap_or(usize::MAX)
        };
        Ok(Golden {
            pixels: file(".pixels", Some(size(&pixels, 1)))?,
            tensor: values(&file(".tensor", Some(size(&tensor, 4)))?),
            logits: values(&file(".logits", Some(size(&logits, 4)))?),
            answers,
            rounding,
            picture: GoldenPicture { bytes: file("", None)?, name: name.clone() },
        })
    };
    entries.into_iter().map(read).collect::<Result<_, _>>().map(Some)
}

fn values(bytes: &[u8]) -> Vec<f32> {
    let values = bytes.chunks_exact(4).map(|four| four.try_into().map(f32::from_le_bytes));
    values.map(|value| value.unwrap_or(f32::NAN)).collect()
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

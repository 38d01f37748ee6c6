//! Pictures made on the spot, each of a colour that the tiny network knows.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// A colour that the tiny network knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// `Warm > Red`.
    Red,
    /// `Cold > Green`.
    Green,
    /// `Cold > Blue`.
    Blue,
}

impl Colour {
    /// Every colour, in the order of the network's output.
    pub const ALL: [Self; 3] = [Self::Red, Self::Green, Self::Blue];

    /// The category that the tiny network answers with.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Red => "Warm > Red",
            Self::Green => "Cold > Green",
            Self::Blue => "Cold > Blue",
        }
    }

    const fn rgb(self) -> Rgb<u8> {
        match self {
            Self::Red => Rgb([220, 30, 20]),
            Self::Green => Rgb([20, 200, 40]),
            Self::Blue => Rgb([30, 20, 210]),
        }
    }
}

/// A picture of one colour with a darker frame, encoded.
///
/// # Panics
/// When the encoder fails, which it does for no format used here.
#[must_use]
pub fn picture(colour: Colour, width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let Rgb([red, green, blue]) = colour.rgb();
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let shade = u8::try_from((x + y) % 16).unwrap_or_default();
        Rgb([red.saturating_sub(shade), green.saturating_sub(shade), blue.saturating_sub(shade)])
    });
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(picture)
        .write_to(&mut bytes, format)
        .unwrap_or_else(|error| panic!("{format:?}: {error}"));
    bytes.into_inner()
}

/// A square PNG of nothing but one colour.
///
/// # Panics
/// When the encoder fails, which it does not.
#[must_use]
pub fn plain(rgb: [u8; 3], side: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(RgbImage::from_pixel(side, side, Rgb(rgb)))
        .write_to(&mut bytes, ImageFormat::Png)
        .unwrap_or_else(|error| panic!("PNG: {error}"));
    bytes.into_inner()
}

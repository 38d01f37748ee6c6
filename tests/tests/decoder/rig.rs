//! A decoder over the real binary, and children made of a shell script.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aisle_shared::domain::ErrorCode;
use aisle_shared::image_probe::ImageLimits;
use aisle_tests::service::binary;
use aisle_worker::decoder::{Decoder, DecoderSettings, Framed, Isolation, Program, Refusal};
use aisle_worker::model::{Crop, CropRounding, Extent, Filter, Resize, ResizeTo};
use aisle_worker::preprocess::Framing;

/// What most networks see.
pub(crate) const FRAMING: Framing = Framing {
    resize: Some(Resize { to: ResizeTo::ShortestEdge(256), filter: Filter::Bilinear }),
    crop: Some(Crop { size: Extent::square(224), rounding: CropRounding::Down }),
    output: Extent::square(224),
};

/// The program whose children the service starts.
pub(crate) fn program() -> Program {
    Program { path: binary(), arguments: vec!["decoder".into()] }
}

/// A shell script as a child. Its standard input is the socket, so it answers
/// to `&0`.
pub(crate) fn script(text: &str) -> Program {
    Program { path: "/bin/sh".into(), arguments: vec!["-c".into(), text.into()] }
}

/// The real program, which leaves its process id in a file first.
pub(crate) fn noted(note: &Path) -> Program {
    let (note, binary) = (note.display(), binary());
    script(&format!("echo $$ >> {note}; exec {} decoder", binary.display()))
}

/// The shell's way of saying that it is ready.
pub(crate) fn ready() -> String {
    let hello = r#"{"Ready":{"lacking":[]}}"#;
    let length: String = u32::try_from(hello.len())
        .unwrap()
        .to_le_bytes()
        .map(|byte| format!("\\{byte:03o}"))
        .concat();
    format!("printf '{length}{hello}' >&0;")
}

/// The process ids that children have left, in order.
pub(crate) fn notes(note: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(note).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

pub(crate) fn settings(program: Program) -> DecoderSettings {
    // Long, because a machine under tests is busy.
    let timeout = Duration::from_secs(30);
    DecoderSettings { timeout, ..DecoderSettings::new(Isolation::Processes(program)) }
}

pub(crate) fn start(settings: &DecoderSettings) -> Decoder {
    Decoder::start(settings, ImageLimits::default(), NonZeroUsize::MIN).expect("a decoder")
}

/// A decoder of one child of the real binary.
pub(crate) fn decoder() -> Decoder {
    start(&settings(program()))
}

/// What becomes of an image: its size, or the code of its failure.
pub(crate) fn outcome(result: Result<Framed, Refusal>) -> Result<(u32, u32), ErrorCode> {
    match result {
        Ok(Framed { info, pixels, .. }) => {
            assert_eq!(pixels.len(), FRAMING.pixels_len());
            Ok((info.width, info.height))
        }
        Err(Refusal::Image(error)) => Err(error.code),
        Err(Refusal::Unavailable(why)) => panic!("no decoder: {why}"),
    }
}

/// What becomes of an image in that decoder.
pub(crate) fn seen(decoder: &Decoder, bytes: &[u8]) -> Result<(u32, u32), ErrorCode> {
    outcome(decoder.frame(bytes, &FRAMING))
}

/// A file in a folder that is gone after the test.
pub(crate) fn note() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("children");
    (folder, file)
}

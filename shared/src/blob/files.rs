//! Blobs as files in a folder.

/// Blobs as files: `<folder>/<last two digits of the job>/<job>/<index>`.
#[derive(Debug)]
pub struct FileBlobs {}

//! Blobs in Redis, beside the jobs.

/// Blobs as Redis strings, in their job's hash slot.
#[derive(Debug)]
pub struct RedisBlobs {}

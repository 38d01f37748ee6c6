//! What a request asks for, as one number: the same for the same content,
//! however it is laid out. A form has other boundaries each time it is sent,
//! and options may stand in the query or in the body.

use std::fmt::Write as _;

use aisle_shared::domain::TenantId;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::options::Options;
use crate::problem::Problem;

/// SHA-256 over the method, the path, the tenant, the images in their order
/// and the options. Each part comes behind its kind and its length.
#[derive(Debug, Clone)]
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    /// A request of a tenant, without its content.
    pub(crate) fn new(method: &str, path: &str, tenant: &TenantId) -> Self {
        let mut print = Self(Sha256::new());
        print.add("method", method.as_bytes());
        print.add("path", path.as_bytes());
        print.add("tenant", tenant.as_str().as_bytes());
        print
    }

    /// An image by its bytes.
    pub(super) fn add_upload(&mut self, bytes: &[u8]) {
        self.add("upload", bytes);
    }

    /// An image by its URL.
    pub(super) fn add_url(&mut self, url: &str) {
        self.add("url", url.as_bytes());
    }

    /// The whole, in hexadecimal. The order of members in an object is no
    /// part of what it says.
    pub(super) fn finish(mut self, options: &Options) -> Result<String, Problem> {
        let mut options = serde_json::to_value(options).map_err(Problem::internal)?;
        Value::sort_all_objects(&mut options);
        self.add("options", options.to_string().as_bytes());
        let digits = self.0.finalize();
        Ok(digits.iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        }))
    }

    fn add(&mut self, kind: &str, bytes: &[u8]) {
        self.0.update(kind);
        self.0.update([0]);
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(fill: impl FnOnce(&mut Fingerprint, &mut Options)) -> String {
        let (mut print, mut options) =
            (Fingerprint::new("POST", "/v1/jobs", &TenantId::default_tenant()), Options::default());
        fill(&mut print, &mut options);
        print.finish(&options).unwrap()
    }

    #[test]
    fn parts_cannot_be_taken_for_one_another() {
        let prints = [
            print(|_, _| {}),
            print(|print, _| print.add_upload(b"ab")),
            print(|print, _| print.add_url("ab")),
            print(|print, _| {
                print.add_upload(b"a");
                print.add_upload(b"b");
            }),
            print(|_, options| options.top_k = Some(1)),
            print(|_, options| options.model = Some("a".parse().unwrap())),
        ];
        let mut distinct = prints.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), prints.len());
        assert_eq!(prints[0].len(), 64);
    }

    #[test]
    fn the_order_of_members_does_not_matter_and_that_of_images_does() {
        let with = |metadata: &str| {
            let metadata = serde_json::from_str(metadata).unwrap();
            print(|_, options| options.metadata = Some(metadata))
        };
        assert_eq!(
            with(r#"{"a":{"x":1,"y":[1,2]},"b":2}"#),
            with(r#"{"b":2,"a":{"y":[1,2],"x":1}}"#)
        );
        assert_ne!(with(r#"{"a":[1,2]}"#), with(r#"{"a":[2,1]}"#));
        let images = |first: &str, second: &str| {
            print(|print, _| {
                print.add_url(first);
                print.add_url(second);
            })
        };
        assert_ne!(images("a", "b"), images("b", "a"));
    }
}

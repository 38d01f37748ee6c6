//! Signing and verifying a message: HMAC-SHA256 over `id.timestamp.body`.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::Secret;

/// How far a message's timestamp may be from the verifier's clock.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// What stands before each signature: symmetric, version 1.
const VERSION: &str = "v1";

/// The three headers of a message as they were received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`: seconds since the Unix epoch.
    pub timestamp: &'a str,
    /// `webhook-signature`: signatures, a space between each.
    pub signature: &'a str,
}

/// Why a message is not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The timestamp is no number, or too far from now.
    #[error("the timestamp is not within {} seconds of now", TOLERANCE.as_secs())]
    Timestamp,
    /// No signature is by any of the secrets.
    #[error("no signature fits")]
    Signature,
}

/// The `webhook-signature` of a body sent at `timestamp`, in seconds since the
/// Unix epoch: one signature by each secret, so that a receiver may verify
/// with either during a rotation.
#[must_use]
pub fn sign(secrets: &[Secret], id: &str, timestamp: u64, body: &[u8]) -> String {
    let timestamp = timestamp.to_string();
    let signatures = secrets.iter().filter_map(|secret| {
        let code = code(secret, id, &timestamp, body)?.finalize().into_bytes();
        Some(format!("{VERSION},{}", STANDARD.encode(code)))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

/// Holds a message against a secret, at `now` in seconds since the Unix epoch.
/// Codes are compared in constant time.
///
/// # Errors
/// When the message is not to be trusted.
pub fn verify(
    secret: &Secret,
    signed: &Signed<'_>,
    body: &[u8],
    now: u64,
) -> Result<(), SignatureError> {
    let at: u64 = signed.timestamp.parse().map_err(|_| SignatureError::Timestamp)?;
    if now.abs_diff(at) > TOLERANCE.as_secs() {
        return Err(SignatureError::Timestamp);
    }
    let fits = |signature: &str| {
        let encoded = signature.split_once(',').filter(|(version, _)| *version == VERSION)?.1;
        let given = STANDARD.decode(encoded).ok()?;
        code(secret, signed.id, signed.timestamp, body)?.verify_slice(&given).ok()
    };
    let any = signed.signature.split(' ').any(|signature| fits(signature).is_some());
    if any { Ok(()) } else { Err(SignatureError::Signature) }
}

/// HMAC takes keys of any length, so there always is one.
fn code(secret: &Secret, id: &str, timestamp: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut code = Hmac::<Sha256>::new_from_slice(secret.bytes()).ok()?;
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        code.update(part);
    }
    Some(code)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
    const AT: u64 = 1_649_367_553;
    const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
    const SIGNATURE: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";

    fn published() -> Secret {
        Secret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap()
    }

    fn signed(signature: &str) -> Signed<'_> {
        Signed { id: ID, timestamp: "1649367553", signature }
    }

    #[test]
    fn the_published_vector_is_met() {
        assert_eq!(sign(&[published()], ID, AT, BODY), SIGNATURE);
        assert_eq!(verify(&published(), &signed(SIGNATURE), BODY, AT), Ok(()));
    }

    #[test]
    fn during_a_rotation_either_secret_verifies() {
        let (new, old, other) = (Secret::generate(), Secret::generate(), Secret::generate());
        let signature = sign(&[new.clone(), old.clone()], ID, AT, BODY);
        assert_eq!(signature.split(' ').count(), 2);
        assert_eq!(verify(&new, &signed(&signature), BODY, AT), Ok(()));
        assert_eq!(verify(&old, &signed(&signature), BODY, AT), Ok(()));
        let refused = verify(&other, &signed(&signature), BODY, AT);
        assert_eq!(refused, Err(SignatureError::Signature));
    }

    #[test]
    fn a_message_out_of_its_time_is_refused() {
        let at = |now| verify(&published(), &signed(SIGNATURE), BODY, now);
        assert_eq!(at(AT + 300), Ok(()));
        assert_eq!(at(AT - 300), Ok(()));
        assert_eq!(at(AT + 301), Err(SignatureError::Timestamp));
        assert_eq!(at(AT - 301), Err(SignatureError::Timestamp));
        let strange = Signed { timestamp: "soon", ..signed(SIGNATURE) };
        assert_eq!(verify(&published(), &strange, BODY, AT), Err(SignatureError::Timestamp));
    }

    #[test]
    fn any_change_breaks_the_signature() {
        let refused = Err(SignatureError::Signature);
        assert_eq!(verify(&published(), &signed(SIGNATURE), b"{}", AT), refused);
        let other_id = Signed { id: "msg_2", ..signed(SIGNATURE) };
        assert_eq!(verify(&published(), &other_id, BODY, AT), refused);
        let later = Signed { timestamp: "1649367554", ..signed(SIGNATURE) };
        assert_eq!(verify(&published(), &later, BODY, AT), refused);
        for strange in ["", "v1", "v1,", "v1a,AAAA", "v2,tZ1I4", &SIGNATURE[..20]] {
            assert_eq!(verify(&published(), &signed(strange), BODY, AT), refused, "{strange}");
        }
    }

    proptest! {
        #[test]
        fn the_official_library_signs_alike(
            id in "[A-Za-z0-9_]{1,40}", at in 0_u32.., body in ".{0,200}"
        ) {
            let secret = Secret::generate();
            let official = standardwebhooks::Webhook::new(&secret.reveal()).unwrap();
            let expected = official.sign(&id, at.into(), body.as_bytes()).unwrap();
            prop_assert_eq!(sign(&[secret], &id, at.into(), body.as_bytes()), expected);
        }

        #[test]
        fn no_header_brings_the_verifier_down(id in ".*", timestamp in ".*", signature in ".*") {
            let signed = Signed { id: &id, timestamp: &timestamp, signature: &signature };
            prop_assert!(verify(&published(), &signed, b"x", AT).is_err());
        }
    }
}

//! What callers and receivers prove themselves with.

use aisle_shared::domain::KeyText;
use aisle_shared::webhook::{Secret, Signed, sign, verify};

use super::body::decoded;

/// A text is an API key by the letter of its grammar, is written as it was
/// read, and is shown in no message.
///
/// # Panics
/// When it is not.
pub fn api_key(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let read = text.parse::<KeyText>();
    assert_eq!(read.is_ok(), is_api_key(bytes), "{text:?}");
    match read {
        Ok(key) => {
            assert_eq!(key.reveal(), text);
            assert!(!format!("{key:?}").contains(&text[15..]), "a secret is shown");
        }
        Err(error) => {
            // Short texts and several words may stand in the sentence by themselves.
            let may_be_secret = text.len() >= 20 && !text.contains(' ');
            assert!(!may_be_secret || !error.to_string().contains(text), "a secret is shown");
        }
    }
}

/// `aisle_`, eight letters or digits, `_`, forty-three of them.
fn is_api_key(bytes: &[u8]) -> bool {
    let is_in_place = |(place, byte): (usize, &u8)| match place {
        0..6 => *byte == b"aisle_"[place],
        14 => *byte == b'_',
        _ => byte.is_ascii_alphanumeric(),
    };
    bytes.len() == 6 + 8 + 1 + 43 && bytes.iter().enumerate().all(is_in_place)
}

/// A text is a webhook secret if it is `whsec_` and the canonical base64 of 24
/// to 64 bytes, and is written as it was read.
///
/// # Panics
/// When it is not.
pub fn webhook_secret(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let encoded = bytes.strip_prefix(b"whsec_").and_then(decoded);
    let expected = encoded.is_some_and(|secret| (24..=64).contains(&secret.len()));
    let read = Secret::parse(text);
    assert_eq!(read.is_ok(), expected, "{text:?}");
    if let Ok(secret) = read {
        assert_eq!(secret.reveal(), text);
    }
}

/// An id, a timestamp, signatures and a body, a NUL between each. What was
/// signed here verifies, until a byte of it changes; and nothing verifies
/// that does not hold that very signature.
///
/// # Panics
/// When it does not.
pub fn webhook_signature(bytes: &[u8]) {
    const NOW: u64 = 1_767_225_600;
    let mut parts = bytes.splitn(4, |byte| *byte == 0);
    let mut text = || parts.next().and_then(|part| str::from_utf8(part).ok());
    let (Some(id), Some(timestamp), Some(signature)) = (text(), text(), text()) else { return };
    let body = parts.next().unwrap_or_default();
    let secrets =
        ["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"];
    let secrets = secrets.map(|text| Secret::parse(text).expect("a secret"));

    let made = sign(&secrets, id, NOW, body);
    let now = NOW.to_string();
    let signed = Signed { id, timestamp: &now, signature: &made };
    let surrounded = format!("{signature} {made} v1a,x");
    for secret in &secrets {
        assert_eq!(verify(secret, &signed, body, NOW), Ok(()));
        let among = Signed { signature: &surrounded, ..signed };
        assert_eq!(verify(secret, &among, body, NOW), Ok(()));
        let other = [body, b"x"].concat();
        assert!(verify(secret, &signed, &other, NOW).is_err());
        assert!(verify(secret, &signed, body, NOW + 301).is_err());

        let given = Signed { id, timestamp, signature };
        if verify(secret, &given, body, NOW).is_ok() {
            let at = timestamp.parse().expect("a number");
            let own = sign(std::slice::from_ref(secret), id, at, body);
            assert!(signature.split(' ').any(|one| one == own), "{signature:?}");
        }
    }
}

//! Secrets that must not come to light: canaries that tests plant, and keys
//! that the service has made.

/// What every planted secret begins with.
const CANARY: &str = "c4naryb1rd";

/// What every API key begins with, and how long its parts are.
const KEY: (&str, usize, usize) = ("aisle_", 8, 43);

/// A secret for that purpose, recognised wherever it appears. Letters and
/// digits only, so that it stands in URLs as it is.
#[must_use]
pub fn secret(purpose: &str) -> String {
    format!("{CANARY}{purpose}")
}

/// The lines of a text in which a secret stands.
#[must_use]
pub fn leaks(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains(CANARY) || has_key(line)).collect()
}

fn has_key(line: &str) -> bool {
    let (prefix, id, secret) = KEY;
    line.match_indices(prefix).any(|(place, _)| {
        let rest = line.get(place + prefix.len()..).unwrap_or_default();
        let parts = rest.split_once('_').filter(|(given, _)| given.len() == id);
        let is_word = |c: &char| c.is_ascii_alphanumeric();
        parts.is_some_and(|(_, rest)| rest.chars().take_while(is_word).count() >= secret)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_wherever_they_stand_and_nothing_else() {
        let key = format!("aisle_abcdefgh_{}", "x".repeat(43));
        let planted = secret("metadata");
        let text = format!("fine aisle_api::x\na {key}.\nkey=aisle_abcdefgh\n\"{planted}\"");
        assert_eq!(leaks(&text), [format!("a {key}."), format!("\"{planted}\"")]);
    }
}

//! A place in the list of deliveries as an opaque text.

use std::fmt;
use std::str::FromStr;

use aisle_shared::domain::Timestamp;
use aisle_shared::store::DeliveryPosition;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::problem::{Code, FieldError, Problem};

/// Where the next page starts: base64url of `<milliseconds>.<delivery id>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeliveryCursor(pub(crate) DeliveryPosition);

impl fmt::Display for DeliveryCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DeliveryPosition { created_at, id } = &self.0;
        f.write_str(&URL_SAFE_NO_PAD.encode(format!("{}.{id}", created_at.0)))
    }
}

impl FromStr for DeliveryCursor {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        position(text).map(Self).ok_or_else(|| {
            let detail = "use a next_cursor as it was returned";
            Problem::new(Code::InvalidCursor, "The cursor is none that this list has returned.")
                .with_errors(vec![FieldError::of_parameter("cursor", detail)])
        })
    }
}

fn position(text: &str) -> Option<DeliveryPosition> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (created_at, id) = text.split_once('.')?;
    // SQL integers and Lua numbers end before u64 does.
    let created_at = created_at.parse().ok().filter(|millis| *millis < 1 << 53)?;
    Some(DeliveryPosition { created_at: Timestamp(created_at), id: id.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use aisle_shared::domain::{DeliveryId, EndpointId, JobId};

    use super::*;

    #[test]
    fn a_cursor_survives_text_and_back() {
        for endpoint in [EndpointId::callbacks(), EndpointId::generate()] {
            let id = DeliveryId { job: JobId::generate(), endpoint };
            let position = DeliveryPosition { created_at: Timestamp(1_767_225_600_123), id };
            let cursor = DeliveryCursor(position);
            assert_eq!(cursor.to_string().parse::<DeliveryCursor>().unwrap(), cursor);
        }
    }

    #[test]
    fn any_other_text_is_refused() {
        let of_a_job = URL_SAFE_NO_PAD.encode(format!("1.{}", JobId::generate()));
        for text in ["", "x", "MTIz", "%00", &of_a_job] {
            let refused = text.parse::<DeliveryCursor>().unwrap_err();
            assert_eq!(refused.code(), Code::InvalidCursor, "{text}");
        }
    }
}

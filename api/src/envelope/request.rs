//! What is kept of a request until its answer is there.

use std::time::Instant;

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use aisle_shared::telemetry::Span;
use uuid::Uuid;

use super::trace;

/// Characters of a caller's own request id at most.
const MAX_ID_CHARS: usize = 128;

/// A request as its answer, the log and the metrics need it.
#[derive(Debug)]
pub(super) struct Request {
    /// The caller's own id, or a fresh one.
    pub(super) id: String,
    /// The method; `OTHER` for unknown ones, so that labels stay few.
    pub(super) method: &'static str,
    /// The address without its query, which may hold secrets.
    pub(super) path: String,
    /// Whether it came over TLS.
    pub(super) secure: bool,
    /// When it came.
    pub(super) started: Instant,
    /// Its part of a trace.
    pub(super) span: Span,
}

impl Request {
    pub(super) fn of(request: &ServiceRequest) -> Self {
        let given = request.headers().get("x-request-id").and_then(|id| id.to_str().ok());
        let method = method_label(request.method());
        Self {
            id: given
                .filter(|id| is_sane(id))
                .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned),
            method,
            path: request.path().to_owned(),
            secure: request.app_config().secure(),
            started: Instant::now(),
            span: trace::begin(request, method),
        }
    }

    pub(super) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }
}

/// Whether a caller's id can stand in a log and in a header as it is.
fn is_sane(id: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !id.is_empty() && id.len() <= MAX_ID_CHARS && id.chars().all(allowed)
}

fn method_label(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("OTHER")
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn id_for(given: &str) -> String {
        let request = TestRequest::get().insert_header(("x-request-id", given));
        Request::of(&request.to_srv_request()).id
    }

    #[test]
    fn a_sane_request_id_is_kept_and_any_other_replaced() {
        assert_eq!(id_for("shop-42.a_b"), "shop-42.a_b");
        for strange in ["", "a b", "<script>", &"x".repeat(129)] {
            assert_ne!(id_for(strange), strange);
            assert!(id_for(strange).parse::<Uuid>().is_ok());
        }
    }
}

//! Which spans are recorded.

use opentelemetry::trace::{Link, SpanContext, SpanKind, SpanRef, TraceContextExt};
use opentelemetry::trace::{TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

/// Follows the caller's decision where there is one. A span that links to
/// others is recorded if any of those is, so that a batch is seen whenever one
/// of its images is. Of all else a share is recorded, told by the trace's id.
#[derive(Debug, Clone)]
pub(super) struct Share(Sampler);

impl Share {
    pub(super) fn new(percent: u8) -> Self {
        Self(Sampler::TraceIdRatioBased(f64::from(percent.min(100)) / 100.0))
    }
}

impl ShouldSample for Share {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let parent_span = parent.map(Context::span);
        let said = parent_span
            .as_ref()
            .map(SpanRef::span_context)
            .filter(|parent| parent.is_valid())
            .map(SpanContext::is_sampled)
            .or_else(|| {
                (!links.is_empty()).then(|| links.iter().any(|link| link.span_context.is_sampled()))
            });
        match said {
            Some(recorded) => SamplingResult {
                decision: if recorded {
                    SamplingDecision::RecordAndSample
                } else {
                    SamplingDecision::Drop
                },
                attributes: Vec::new(),
                trace_state: TraceState::default(),
            },
            None => self.0.should_sample(None, trace, name, kind, attributes, links),
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanId, TraceFlags};

    use super::*;

    fn context(flags: u8) -> SpanContext {
        let ids = (TraceId::from(7_u128), SpanId::from(9_u64));
        SpanContext::new(ids.0, ids.1, TraceFlags::new(flags), true, TraceState::default())
    }

    fn recorded(percent: u8, parent: Option<u8>, links: &[u8]) -> bool {
        let parent = parent.map(|flags| Context::new().with_remote_span_context(context(flags)));
        let links: Vec<Link> =
            links.iter().map(|flags| Link::new(context(*flags), Vec::new(), 0)).collect();
        let (trace, kind) = (TraceId::from(7_u128), SpanKind::Internal);
        let sampler = Share::new(percent);
        let result = sampler.should_sample(parent.as_ref(), trace, "s", &kind, &[], &links);
        result.decision == SamplingDecision::RecordAndSample
    }

    #[test]
    fn the_callers_decision_holds_whatever_the_share() {
        assert!(recorded(0, Some(1), &[]));
        assert!(!recorded(100, Some(0), &[]));
    }

    #[test]
    fn a_batch_is_recorded_if_one_of_its_images_is() {
        assert!(recorded(0, None, &[0, 1]));
        assert!(!recorded(100, None, &[0, 0]));
    }

    #[test]
    fn without_a_decision_the_share_counts() {
        assert!(recorded(100, None, &[]));
        assert!(!recorded(0, None, &[]));
    }
}

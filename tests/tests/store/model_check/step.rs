//! What can happen to a store, and how often it does.

use std::time::Duration;

use aisle_shared::domain::Priority;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Steps of one case at most; half as many on average.
const MOST_STEPS: usize = 120;

/// How a job is submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Road {
    /// In one step.
    Enqueue,
    /// Opened, filled and sealed.
    Seal,
    /// Opened, filled but for its last item, and never sealed.
    Abandon,
}

/// A job to submit.
#[derive(Debug, Clone)]
pub(super) struct Submission {
    pub(super) road: Road,
    pub(super) tenant: &'static str,
    pub(super) model: &'static str,
    pub(super) priority: Priority,
    pub(super) weight: u32,
    pub(super) items: u32,
    pub(super) max_attempts: u32,
    pub(super) retention: Duration,
    /// Where its end is told.
    pub(super) told: Option<&'static str>,
}

/// A lease of the case: one that a worker holds, or any that ever was.
#[derive(Debug, Clone)]
pub(super) struct Pick {
    pub(super) stale: bool,
    pub(super) which: Index,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    Submit(Submission),
    /// Submits a job of the case once more.
    Replay(Index),
    Claim {
        worker: &'static str,
        model: &'static str,
        max: usize,
    },
    Complete {
        picks: Vec<Pick>,
        succeeded: bool,
    },
    Retry {
        pick: Pick,
        after: Duration,
    },
    Release(Vec<Pick>),
    Extend(Vec<Pick>),
    /// Half of the workers forget what they hold.
    Crash,
    Cancel(Index),
    Delete(Index),
    /// A stranger tries everything with a job that is not its own.
    Intrude(Index),
    Advance(Duration),
    Reap,
    Sweep,
    /// A sender takes deliveries, and delivers them or gives them back.
    Send {
        max: usize,
        delivered: bool,
    },
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..=MOST_STEPS)
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        12 => submission().prop_map(Step::Submit),
        2 => index().prop_map(Step::Replay),
        20 => (select(&["w-1", "w-2", "w-3"][..]), model(), 0_usize..9)
            .prop_map(|(worker, model, max)| Step::Claim { worker, model, max }),
        18 => (vec(pick(), 1..4), prop::bool::weighted(0.7))
            .prop_map(|(picks, succeeded)| Step::Complete { picks, succeeded }),
        8 => (pick(), select(&[0, 1, 3_000, 20_000][..]))
            .prop_map(|(pick, ms)| Step::Retry { pick, after: Duration::from_millis(ms) }),
        4 => vec(pick(), 1..4).prop_map(Step::Release),
        4 => vec(pick(), 1..6).prop_map(Step::Extend),
        3 => Just(Step::Crash),
        3 => index().prop_map(Step::Cancel),
        2 => index().prop_map(Step::Delete),
        1 => index().prop_map(Step::Intrude),
        12 => advance().prop_map(Step::Advance),
        7 => Just(Step::Reap),
        4 => Just(Step::Sweep),
        6 => (1_usize..6, any::<bool>())
            .prop_map(|(max, delivered)| Step::Send { max, delivered }),
    ]
}

fn submission() -> impl Strategy<Value = Submission> {
    let road = prop_oneof![
        8 => Just(Road::Enqueue),
        2 => Just(Road::Seal),
        1 => Just(Road::Abandon),
    ];
    (
        road,
        select(&["a", "b", "c"][..]),
        model(),
        select(&Priority::ALL[..]),
        1_u32..4,
        1_u32..6,
        1_u32..5,
        select(&[0, 60, 3_600][..]).prop_map(Duration::from_secs),
        select(&[None, Some("one"), Some("two")][..]),
    )
        .prop_map(
            |(road, tenant, model, priority, weight, items, max_attempts, retention, told)| {
                Submission {
                    road,
                    tenant,
                    model,
                    priority,
                    weight,
                    items,
                    max_attempts,
                    retention,
                    told,
                }
            },
        )
}

fn model() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just("shoes"), 1 => Just("bags")]
}

fn pick() -> impl Strategy<Value = Pick> {
    (prop::bool::weighted(0.2), any::<Index>()).prop_map(|(stale, which)| Pick { stale, which })
}

/// Mostly moments, now and then past a lease, a seal or a retention.
fn advance() -> impl Strategy<Value = Duration> {
    prop_oneof![
        6 => 0_u64..4_000,
        4 => Just(10_000_u64),
        1 => 60_000_u64..700_000,
        1 => Just(3_600_000_u64),
    ]
    .prop_map(Duration::from_millis)
}

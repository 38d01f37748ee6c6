//! The verbs of senders: claim deliveries, hold them, settle them.

use crate::domain::{
    ClaimedDelivery, DeliveryAttempt, DeliveryId, DeliveryLease, EndedJob, EndpointId,
    EndpointSecret, ItemCounts, TenantId, Timestamp,
};
use crate::store::redis::intake::unknown_word;
use crate::store::redis::keys::Shard;
use crate::store::redis::records::{Fields, read, read_event, read_json, read_status, write_json};
use crate::store::redis::server::{Server, millis};
use crate::store::{
    BREAKER_AFTER, BREAKER_FIRST, BREAKER_LONGEST, DISABLED_AFTER, DeliveryClaim, LONGEST_LEASE,
    Settled, StoreError, Verdict,
};

/// Deliveries that one script call moves at most.
const DELIVERIES_PER_CALL: usize = 256;

/// Lanes that one claim looks at, of all tenants, beyond as many as it wants
/// deliveries.
const MORE_LANES: usize = 64;

/// Deliveries that one script call gives up at most.
pub(super) const GIVEN_UP_PER_CALL: usize = 200;

/// A delivery as the claim script tells it: texts (id, token, lane, URL,
/// secrets, event), when it was due, attempt, what is told.
type ClaimedRow = ((String, String, String, String, String, String), u64, u32, Fields);

/// Deliveries for a sender.
pub(super) async fn claim(
    server: &Server,
    wish: &DeliveryClaim,
) -> Result<Vec<ClaimedDelivery>, StoreError> {
    let max = wish.max.min(DELIVERIES_PER_CALL);
    if max == 0 || wish.per_lane == 0 || wish.per_tenant == 0 {
        return Ok(Vec::new());
    }
    let mut step = server.step(&server.scripts().claim_deliveries, Shard::HOME);
    step.arg(wish.per_lane.min(DELIVERIES_PER_CALL))
        .arg(millis(wish.lease.min(LONGEST_LEASE)))
        .arg(max + MORE_LANES)
        .arg(GIVEN_UP_PER_CALL)
        .arg(BREAKER_AFTER)
        .arg(wish.per_tenant);
    for _ in 0..max {
        step.arg(format!("{:032x}", rand::random::<u128>()));
    }
    let (now, mut rows): (u64, Vec<ClaimedRow>) = server.run(&step).await?;
    rows.sort_by_key(|(_, due, ..)| *due);
    rows.into_iter().map(|row| read_claimed(row, Timestamp(now))).collect()
}

fn read_claimed(row: ClaimedRow, now: Timestamp) -> Result<ClaimedDelivery, StoreError> {
    let ((id, token, lane, url, secrets, event), _, attempt, told) = row;
    let id: DeliveryId = read("a delivery id", &id)?;
    let corrupt = || StoreError::Corrupt(format!("a lane: {lane:?}"));
    let (tenant, rest) = lane.split_once(':').ok_or_else(corrupt)?;
    let (endpoint, origin) = rest.split_once(':').ok_or_else(corrupt)?;
    let mut secrets: Vec<EndpointSecret> = read_json(&secrets)?;
    secrets.retain(|secret| secret.expires_at.is_none_or(|at| now < at));
    let of_callbacks = id.endpoint == EndpointId::callbacks();
    Ok(ClaimedDelivery {
        tenant: read("a tenant", tenant)?,
        url,
        secrets,
        event: read_event(&event)?,
        job: read_told(&id, &told)?,
        attempt,
        lane: if of_callbacks { origin } else { endpoint }.to_owned(),
        lease: DeliveryLease { id, token },
    })
}

fn read_told(id: &DeliveryId, fields: &Fields) -> Result<EndedJob, StoreError> {
    let text = |name: &str| {
        fields
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| StoreError::Corrupt(format!("what {id} tells has no {name}")))
    };
    let count = |name: &str| read(name, text(name)?);
    let time = |name: &str| Ok::<_, StoreError>(Timestamp(read(name, text(name)?)?));
    Ok(EndedJob {
        id: id.job,
        model: read("a model", text("model")?)?,
        status: read_status(text("status")?)?,
        items: ItemCounts {
            total: count("total")?,
            succeeded: count("succeeded")?,
            failed: count("failed")?,
            canceled: count("canceled")?,
        },
        metadata: read_json(text("metadata")?)?,
        created_at: time("created")?,
        completed_at: time("completed")?,
        trace: fields.get("trace").map(|text| read("a trace", text)).transpose()?,
    })
}

/// An attempt and what it came to.
pub(super) async fn settle(
    server: &Server,
    lease: &DeliveryLease,
    attempt: &DeliveryAttempt,
    verdict: Verdict,
) -> Result<Settled, StoreError> {
    let (word, delay) = match verdict {
        Verdict::Delivered => ("delivered", 0),
        Verdict::Retry(after) => ("retry", millis(after)),
        Verdict::GivenUp => ("given_up", 0),
        Verdict::EndpointGone => ("gone", 0),
    };
    let mut step = server.step(&server.scripts().settle_delivery, Shard::HOME);
    step.arg(lease.id.to_string())
        .arg(&lease.token)
        .arg(write_json(attempt)?)
        .arg(word)
        .arg(delay)
        .arg(BREAKER_AFTER)
        .arg(millis(BREAKER_FIRST))
        .arg(millis(BREAKER_LONGEST))
        .arg(millis(DISABLED_AFTER));
    match server.run::<String>(&step).await?.as_str() {
        "stored" => Ok(Settled::Stored),
        "fenced" => Ok(Settled::Fenced),
        word => Err(unknown_word(word)),
    }
}

/// Deliveries given back.
pub(super) async fn release(server: &Server, held: &[DeliveryLease]) -> Result<(), StoreError> {
    for chunk in held.chunks(DELIVERIES_PER_CALL) {
        let mut step = server.step(&server.scripts().release_deliveries, Shard::HOME);
        for lease in chunk {
            step.arg(lease.id.to_string()).arg(&lease.token);
        }
        let _: String = server.run(&step).await?;
    }
    Ok(())
}

/// A delivery once more.
pub(super) async fn replay(
    server: &Server,
    tenant: &TenantId,
    id: &DeliveryId,
) -> Result<(), StoreError> {
    let mut step = server.step(&server.scripts().replay_delivery, Shard::HOME);
    step.arg(tenant.as_str()).arg(id.to_string());
    match server.run::<String>(&step).await?.as_str() {
        "replayed" | "held" => Ok(()),
        "unknown" => Err(StoreError::NotFound),
        word => Err(unknown_word(word)),
    }
}

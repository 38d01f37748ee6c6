//! What a tenant reads of its deliveries, and when they are forgotten.

use crate::domain::{
    Delivery, DeliveryAttempt, DeliveryId, DeliveryStatus, EndpointId, TenantId, Timestamp,
};
use crate::store::redis::keys::Shard;
use crate::store::redis::records::{Fields, read, read_event, read_json};
use crate::store::redis::server::{Server, millis};
use crate::store::{
    DELIVERY_RETENTION, DeliveryFilter, DeliveryPage, DeliveryPosition, StoreError,
};

/// Deliveries on a page at most.
const PAGE: usize = 100;

/// Places in the log that one filtered page looks at.
const LOOKED_AT: usize = 1_000;

/// Deliveries that one script call forgets at most.
const FORGOTTEN_PER_CALL: usize = 500;

/// Script calls by which one sweep forgets deliveries.
const CALLS_PER_SWEEP: usize = 40;

/// A delivery as scripts tell it: its id, its fields, its attempts.
type Row = (String, Fields, Vec<String>);

/// One delivery.
pub(super) async fn find(
    server: &Server,
    tenant: &TenantId,
    id: &DeliveryId,
) -> Result<Delivery, StoreError> {
    let mut step = server.step(&server.scripts().delivery, Shard::HOME);
    step.arg(tenant.as_str()).arg(id.to_string());
    let rows: Vec<Row> = server.run(&step).await?;
    read_delivery(rows.first().ok_or(StoreError::NotFound)?)
}

/// A page of a tenant's deliveries, newest first.
pub(super) async fn list(
    server: &Server,
    tenant: &TenantId,
    filter: &DeliveryFilter,
    after: Option<&DeliveryPosition>,
    limit: usize,
) -> Result<DeliveryPage, StoreError> {
    let limit = limit.clamp(1, PAGE);
    let filtered = filter.endpoint.is_some() || filter.status.is_some();
    // One place more than wanted tells whether there is a next page.
    let looked_at = if filtered { LOOKED_AT } else { limit + 1 };
    let mut step = server.step(&server.scripts().deliveries, Shard::HOME);
    step.arg(tenant.as_str())
        .arg(filter.endpoint.as_ref().map_or("", EndpointId::as_str))
        .arg(filter.job.as_ref().map(ToString::to_string).unwrap_or_default())
        .arg(filter.status.map_or("", DeliveryStatus::as_str))
        .arg(after.map(write_place).unwrap_or_default())
        .arg(limit)
        .arg(looked_at);
    let (next, rows): (String, Vec<Row>) = server.run(&step).await?;
    let deliveries = rows.iter().map(read_delivery).collect::<Result<_, _>>()?;
    Ok(DeliveryPage { deliveries, next: read_place(&next)? })
}

/// A place in the log sorts by its text, so the time has a fixed width.
fn write_place(position: &DeliveryPosition) -> String {
    format!("{:015}:{}", position.created_at.0, position.id)
}

fn read_place(text: &str) -> Result<Option<DeliveryPosition>, StoreError> {
    let Some((created, id)) = text.split_once(':') else { return Ok(None) };
    Ok(Some(DeliveryPosition {
        created_at: Timestamp(read("a time", created)?),
        id: read("a delivery id", id)?,
    }))
}

fn read_delivery((id, fields, attempts): &Row) -> Result<Delivery, StoreError> {
    let text = |name: &str| {
        fields
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| StoreError::Corrupt(format!("delivery {id} has no {name}")))
    };
    let time =
        |name: &str| fields.get(name).map(|text| read(name, text).map(Timestamp)).transpose();
    let attempts: Result<Vec<DeliveryAttempt>, _> =
        attempts.iter().map(|text| read_json(text)).collect();
    let status = text("status")?;
    Ok(Delivery {
        id: read("a delivery id", id)?,
        url: text("url")?.to_owned(),
        event: read_event(text("event")?)?,
        status: DeliveryStatus::from_word(status)
            .ok_or_else(|| StoreError::Corrupt(format!("a delivery's status: {status:?}")))?,
        attempted: fields.get("attempted").map_or(Ok(0), |text| read("a count", text))?,
        attempts: attempts?,
        created_at: Timestamp(read("a time", text("created")?)?),
        due_at: time("due")?,
        ended_at: time("ended")?,
    })
}

/// Deliveries past their time.
pub(in crate::store::redis) async fn forget(server: &Server) -> Result<(), StoreError> {
    for _ in 0..CALLS_PER_SWEEP {
        let mut step = server.step(&server.scripts().forget_deliveries, Shard::HOME);
        step.arg(millis(DELIVERY_RETENTION)).arg(FORGOTTEN_PER_CALL);
        if server.run::<usize>(&step).await? < FORGOTTEN_PER_CALL {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::JobId;

    #[test]
    fn a_place_in_the_log_survives_text_and_back() {
        for endpoint in [EndpointId::generate(), EndpointId::callbacks()] {
            let id = DeliveryId { job: JobId::generate(), endpoint };
            let position = DeliveryPosition { created_at: Timestamp(999), id };
            assert_eq!(read_place(&write_place(&position)).unwrap(), Some(position));
        }
        assert_eq!(read_place("").unwrap(), None);
    }
}

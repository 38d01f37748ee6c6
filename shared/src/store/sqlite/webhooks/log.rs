//! What a tenant reads of its deliveries. Every query names the tenant.

use rusqlite::{Connection, OptionalExtension, Row, Rows, params};

use crate::domain::{Delivery, DeliveryId, DeliveryStatus, TenantId};
use crate::store::sqlite::values::Json;
use crate::store::{DeliveryFilter, DeliveryPage, DeliveryPosition, StoreError};

/// Deliveries that one page looks at, matching or not.
const LOOKED_AT_PER_PAGE: usize = 1_000;

/// Deliveries that one page has at most.
const LARGEST_PAGE: usize = 100;

const DELIVERY: &str = "
    SELECT job, endpoint, url, event, status, attempted, attempts, created_at, due, ended_at
    FROM deliveries";

const OF_TENANT: &str = "INDEXED BY deliveries_by_tenant WHERE tenant = ?1 AND ?5 IS NULL";

/// The plus sign keeps SQLite from the tenant's index.
const OF_JOB: &str = "WHERE +tenant = ?1 AND job = ?5";

/// One delivery.
pub(super) fn find(
    db: &Connection,
    tenant: &TenantId,
    id: &DeliveryId,
) -> Result<Delivery, StoreError> {
    let mut select =
        db.prepare_cached(&format!("{DELIVERY} WHERE tenant = ?1 AND job = ?2 AND endpoint = ?3"))?;
    let found = select.query_row(params![tenant, id.job, id.endpoint], of_row).optional()?;
    found.ok_or(StoreError::NotFound)
}

/// A page of the tenant's deliveries, newest first.
pub(super) fn list(
    db: &Connection,
    tenant: &TenantId,
    filter: &DeliveryFilter,
    after: Option<&DeliveryPosition>,
    limit: usize,
) -> Result<DeliveryPage, StoreError> {
    // A job's few deliveries are found by its id.
    let from = if filter.job.is_some() { OF_JOB } else { OF_TENANT };
    let mut select = db.prepare_cached(&format!(
        "{DELIVERY} {from} AND (created_at, job, endpoint) < (?2, ?3, ?4)
         ORDER BY created_at DESC, job DESC, endpoint DESC"
    ))?;
    // None is as new as the end of time, so the id beside it is no matter.
    let rows = match after {
        Some(DeliveryPosition { created_at, id }) => {
            select.query(params![tenant, created_at, id.job, id.endpoint, filter.job])?
        }
        None => select.query(params![tenant, i64::MAX, "", "", filter.job])?,
    };
    page(rows, filter, limit.clamp(1, LARGEST_PAGE))
}

fn page(
    mut rows: Rows<'_>,
    filter: &DeliveryFilter,
    limit: usize,
) -> Result<DeliveryPage, StoreError> {
    let mut page = DeliveryPage::default();
    let mut last = None;
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        if page.deliveries.len() == limit || looked_at == LOOKED_AT_PER_PAGE {
            page.next = last;
            break;
        }
        looked_at += 1;
        let id = DeliveryId { job: row.get("job")?, endpoint: row.get("endpoint")? };
        if matches(filter, &id, row.get("status")?) {
            page.deliveries.push(of_row(row)?);
        }
        last = Some(DeliveryPosition { created_at: row.get("created_at")?, id });
    }
    Ok(page)
}

fn matches(filter: &DeliveryFilter, id: &DeliveryId, status: DeliveryStatus) -> bool {
    filter.endpoint.as_ref().is_none_or(|endpoint| *endpoint == id.endpoint)
        && filter.status.is_none_or(|wanted| wanted == status)
}

fn of_row(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        id: DeliveryId { job: row.get("job")?, endpoint: row.get("endpoint")? },
        url: row.get("url")?,
        event: row.get("event")?,
        status: row.get("status")?,
        attempted: row.get("attempted")?,
        attempts: row.get::<_, Json<_>>("attempts")?.0,
        created_at: row.get("created_at")?,
        due_at: row.get("due")?,
        ended_at: row.get("ended_at")?,
    })
}

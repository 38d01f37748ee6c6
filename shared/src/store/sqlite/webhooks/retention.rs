//! Deliveries are forgotten when they have ended long enough ago, and the
//! told job with the last of them.

use rusqlite::params;

use crate::domain::JobId;
use crate::store::sqlite::step::Step;
use crate::store::{DELIVERY_RETENTION, StoreError};

/// Deliveries that one step forgets at most.
pub(in crate::store::sqlite) const FORGOTTEN_PER_STEP: usize = 1_000;

/// Forgets some; answers how many.
pub(in crate::store::sqlite) fn forget(step: &Step<'_>) -> Result<usize, StoreError> {
    let mut remove = step.db.prepare_cached(
        "DELETE FROM deliveries WHERE (job, endpoint) IN
             (SELECT job, endpoint FROM deliveries
              WHERE ended_at IS NOT NULL AND ended_at <= ?1 ORDER BY ended_at LIMIT ?2)
         RETURNING job",
    )?;
    let gone = params![step.now.ago(DELIVERY_RETENTION), FORGOTTEN_PER_STEP];
    let jobs = remove.query_map(gone, |row| row.get(0))?;
    let jobs = jobs.collect::<rusqlite::Result<Vec<JobId>>>()?;
    drop(remove);
    for job in &jobs {
        step.db
            .prepare_cached(
                "DELETE FROM endings WHERE job = ?1
                     AND NOT EXISTS (SELECT 1 FROM deliveries WHERE job = ?1)",
            )?
            .execute([job])?;
    }
    Ok(jobs.len())
}

//! How the end of a job gets from the shard where it ended to the home, which
//! knows whom to tell.
//!
//! The step that ends the job writes what is to be told in its own shard, so
//! it is never forgotten; whoever claims deliveries takes it to the home, and
//! only then it is forgotten where it was. The home writes one delivery for
//! each receiver however often it is told, so nothing is told twice.

use futures::future::join_all;

use super::super::StoreError;
use super::keys::Shard;
use super::records::Fields;
use super::server::Server;

/// Jobs that one call takes along.
const JOBS_PER_CALL: usize = 100;

/// Calls for one shard, after which the others have their turn.
const CALLS: usize = 20;

/// Takes what is to be told to the home. A shard that does not answer keeps
/// what it has until the next time.
///
/// # Errors
/// Those of the home.
pub(super) async fn run(server: &Server) -> Result<(), StoreError> {
    let shards = server.shards().abroad();
    join_all(shards.map(|shard| relay(server, shard))).await.into_iter().collect()
}

async fn relay(server: &Server, shard: Shard) -> Result<(), StoreError> {
    for _ in 0..CALLS {
        let mut step = server.step(&server.scripts().leaving, shard);
        step.arg(JOBS_PER_CALL);
        let jobs: Vec<(String, Fields)> = match server.run(&step).await {
            Ok(jobs) => jobs,
            Err(error) => {
                tracing::debug!(%error, "a shard does not tell whose jobs have ended");
                return Ok(());
            }
        };
        if jobs.is_empty() {
            return Ok(());
        }
        arrive(server, &jobs).await?;
        let mut step = server.step(&server.scripts().left, shard);
        for (job, _) in &jobs {
            step.arg(job);
        }
        // What stays is told again, which changes nothing.
        if let Err(error) = server.run::<String>(&step).await {
            tracing::debug!(%error, "a shard keeps what it has told");
            return Ok(());
        }
        if jobs.len() < JOBS_PER_CALL {
            return Ok(());
        }
    }
    Ok(())
}

/// The fields of what is told; the status comes first and the end last. Only
/// the trace may be missing.
const TOLD: [&str; 10] = [
    "status",
    "model",
    "total",
    "succeeded",
    "failed",
    "canceled",
    "metadata",
    "created",
    "trace",
    "completed",
];

async fn arrive(server: &Server, jobs: &[(String, Fields)]) -> Result<(), StoreError> {
    let mut step = server.step(&server.scripts().arrive, Shard::HOME);
    for (job, fields) in jobs {
        let text = |name: &str| fields.get(name).map_or("", String::as_str);
        let told = TOLD.map(|name| Some((name, fields.get(name)?)));
        let told = || told.iter().flatten();
        step.arg(job).arg(text("tenant")).arg(text("callback")).arg(2 * told().count());
        for (name, value) in told() {
            step.arg(name).arg(value);
        }
    }
    let _: String = server.run(&step).await?;
    Ok(())
}

//! Uploads accepted a second while no worker runs, beside what Redis itself
//! stores a second when it is given the same writes in one pipeline.

use std::io::Cursor;
use std::sync::Arc;

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder as _};
use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};

use super::client::{Protocol, Target};
use super::contestants::service;
use super::load::{Ask, Done, saturated};
use super::options::Options;
use super::replay::{replay, writes_of};
use super::report::{Goal, Report};
use super::rounds::Rounds;
use super::stats::ratios;
use super::subject::Subject;
use super::table::{Table, spread};
use crate::harness::Backend;
use crate::redis_server::RedisServer;
use crate::service::{Processes, Service};

const PART: &str = "accept";
/// Bytes of an upload, about.
const UPLOAD: usize = 30_000;
/// The append-only file stays one, so that it can be read as a whole. The
/// other server is set up alike.
const ONE_FILE: (&str, &str) = ("auto-aof-rewrite-percentage", "0");

/// Measures both stores, each round on fresh ones.
pub async fn run(options: &Options, subject: &Subject, report: &mut Report) {
    let upload: Arc<[Bytes]> = [noise(UPLOAD)].into();
    let [mut redis, mut sqlite] = [Rounds::default(), Rounds::default()];
    let mut pipeline = Vec::new();
    for _ in 0..options.rounds {
        let mut service = start(Backend::Redis, subject).await;
        let server = service.redis().pid().await.expect("a Redis server");
        let processes = [service.process("api"), server];
        let done = accepted(options, &service, &upload, &processes).await;
        redis.add(done.pace, Some(done.client_ms));
        let writes = writes_of(service.redis()).await.expect("the writes of the service");
        drop(service);
        let other = RedisServer::start_with(&[ONE_FILE]).await.expect("a Redis server");
        let address = other.address();
        let replayed = tokio::task::spawn_blocking(move || replay(&writes, address)).await;
        let took = replayed.expect("a thread").expect("a replay");
        pipeline.push(done.answered as f64 / took.as_secs_f64());

        let service = start(Backend::Sqlite, subject).await;
        let done = accepted(options, &service, &upload, &[service.process("api")]).await;
        sqlite.add(done.pace, Some(done.client_ms));
    }
    let share = ratios(&redis.rate, &pipeline);
    let bytes = upload[0].len();
    let title = format!("uploads of {bytes} bytes accepted, no worker running");
    let columns = [
        "",
        "a second",
        "share of Redis itself",
        "CPU ms an upload, store included",
        "and in clients",
    ];
    let mut table = Table::new(&title, &columns);
    let itself = "Redis itself, the same writes in one pipeline";
    report.keep(PART, itself, "uploads_per_second", &pipeline);
    table.row([itself.to_owned(), spread(&pipeline, 0)]);
    let shares = spread(&share, 2);
    for (name, rounds, share) in
        [("aisle, Redis", &redis, shares), ("aisle, SQLite", &sqlite, String::new())]
    {
        report.keep(PART, name, "uploads_per_second", &rounds.rate);
        report.keep(PART, name, "processor_ms_per_upload", &rounds.processor_ms);
        report.keep(PART, name, "client_processor_ms_per_upload", &rounds.client_ms);
        let (rate, cost) = (spread(&rounds.rate, 0), spread(&rounds.processor_ms, 2));
        table.row([name.to_owned(), rate, share, cost, spread(&rounds.client_ms, 2)]);
    }
    report.keep(PART, "aisle, Redis", "share_of_redis", &share);
    report.show(&table);
    report.goal("uploads accepted / what Redis itself stores", Goal::AtLeast(0.5), &share);
}

/// The API over a store that has known the model, and no worker.
async fn start(backend: Backend, subject: &Subject) -> Service {
    let mut service = service(backend, Processes::Apart, subject, "cpu").await;
    service.stop("worker").await;
    if backend == Backend::Redis {
        let mut connection = service.redis().connect().await.expect("a Redis server");
        let mut set = redis::cmd("CONFIG");
        set.arg("SET").arg(ONE_FILE.0).arg(ONE_FILE.1);
        set.exec_async(&mut connection).await.expect("a setting");
    }
    service
}

async fn accepted(
    options: &Options,
    service: &Service,
    upload: &Arc<[Bytes]>,
    processes: &[u32],
) -> Done {
    let target = Target::new(&service.base, Protocol::Aisle);
    let done =
        saturated(&target, upload, Ask::Accept, options.clients, options.length, processes).await;
    assert_eq!(done.failed, 0, "uploads were refused\n{}", service.logs());
    done
}

/// A picture of noise of at least that many bytes: nothing packs it smaller.
fn noise(least: usize) -> Bytes {
    const SIDE: u32 = 16;
    let mut random = StdRng::seed_from_u64(1);
    for height in (SIDE..).step_by(8) {
        let mut pixels = vec![0; (SIDE * SIDE * height * 3 / SIDE) as usize];
        random.fill_bytes(&mut pixels);
        let mut file = Cursor::new(Vec::new());
        let encoder = JpegEncoder::new_with_quality(&mut file, 90);
        let written = encoder.write_image(&pixels, SIDE, height, ExtendedColorType::Rgb8);
        written.expect("a picture");
        if file.get_ref().len() >= least {
            return file.into_inner().into();
        }
    }
    unreachable!("a picture grows with its height")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upload_is_a_picture_of_the_size_asked_for() {
        let upload = noise(UPLOAD);
        assert!((UPLOAD..UPLOAD + 1_000).contains(&upload.len()), "{}", upload.len());
        let read = image::guess_format(&upload).unwrap();
        assert_eq!(read, image::ImageFormat::Jpeg);
    }
}

//! The service over a Redis Cluster of three nodes: what a node's death, and a
//! slot that moves, may cost: time, nothing else.

use std::collections::BTreeSet;

use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::redis_cluster::RedisCluster;
use aisle_tests::redis_server::RedisServer;
use aisle_tests::service::{Processes, Service};
use aisle_tests::wait;
use image::ImageFormat;
use reqwest::multipart::{Form, Part};
use serde_json::Value;

/// Jobs of a test, enough for each shard to have some.
const JOBS: usize = 48;

/// Pictures of a job.
const PICTURES: u64 = 5;

const SHARDS: &str = "8";

async fn cluster_or_skip() -> Option<RedisCluster> {
    match RedisCluster::start().await {
        Ok(cluster) => Some(cluster),
        Err(error) => {
            println!("skipped: no Redis Cluster here: {error:#}");
            None
        }
    }
}

async fn service(url: &str) -> Service {
    let settings =
        [("AISLE_STORE", url), ("AISLE_REDIS_SHARDS", SHARDS), ("AISLE_LEASE_SECONDS", "5")];
    Service::tiny(Backend::Sqlite, Processes::Apart, &settings).await
}

/// A job of a few pictures, by a key that makes it safe to ask again, as a
/// client does while the store does not answer.
async fn submit(service: &Service, number: usize) -> String {
    let colour = Colour::ALL[number % 3];
    let key = format!("\"order-{number}\"");
    wait::until("an accepted job", || async {
        let form = (0..PICTURES).fold(Form::new(), |form, _| {
            let bytes = picture(colour, 300, 300, ImageFormat::Jpeg);
            form.part("image", Part::bytes(bytes).file_name("picture.jpg"))
        });
        let post = service.client.post(service.url("/v1/jobs")).header("idempotency-key", &key);
        let answer = post.multipart(form).send().await.expect("an answer");
        if answer.status() == 503 || answer.status() == 409 {
            return None;
        }
        assert_eq!(answer.status(), 202, "{}\n{}", answer.text().await.unwrap(), service.logs());
        let job: Value = answer.json().await.unwrap();
        Some(job["id"].as_str().expect("a job id").to_owned())
    })
    .await
}

/// Submits all jobs, and does something when a third of them is in.
async fn submit_all(service: &Service, then: impl AsyncFnOnce()) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..JOBS / 3 {
        ids.push(submit(service, number).await);
    }
    let rest = async {
        let mut ids = Vec::new();
        for number in JOBS / 3..JOBS {
            ids.push(submit(service, number).await);
        }
        ids
    };
    let (mut rest, ()) = tokio::join!(rest, then());
    ids.append(&mut rest);
    ids
}

async fn all_ended_once(service: &Service, ids: &[String]) {
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), JOBS, "a job was made twice");
    for (number, id) in ids.iter().enumerate() {
        let job = service.ended(id).await;
        assert_eq!(job["status"], "succeeded", "{job}");
        // The counter grows with every recording, so a second one would show.
        assert_eq!(job["items"]["succeeded"], PICTURES, "{job}");
        for result in job["results"].as_array().unwrap() {
            assert_eq!(result["predictions"][0]["label"], Colour::ALL[number % 3].label());
        }
        assert_eq!(*id, submit(service, number).await, "a repeated request made another job");
    }
}

/// The ids of all jobs that the list has, page by page.
async fn listed(service: &Service) -> Vec<String> {
    let mut ids = Vec::new();
    let mut path = "/v1/jobs?limit=7".to_owned();
    loop {
        let page = service.get(&path).await;
        let jobs = page["data"].as_array().expect("a page of jobs");
        ids.extend(jobs.iter().map(|job| job["id"].as_str().expect("an id").to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/jobs?limit=7&cursor={cursor}"),
            None => return ids,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_over_a_cluster_lie_on_all_nodes_and_are_listed_as_one() {
    let Some(cluster) = cluster_or_skip().await else { return };
    let service = service(&cluster.url()).await;
    let ids = submit_all(&service, async || {}).await;
    for node in &cluster.nodes {
        let keys: usize =
            redis::cmd("DBSIZE").query_async(&mut node.connect().await.unwrap()).await.unwrap();
        assert!(keys > 10, "a node has {keys} keys");
    }
    all_ended_once(&service, &ids).await;
    let listed = listed(&service).await;
    assert_eq!(listed.len(), JOBS, "the list repeats or skips");
    assert_eq!(listed.iter().collect::<BTreeSet<_>>(), ids.iter().collect::<BTreeSet<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_killed_under_load_loses_nothing() {
    let Some(mut cluster) = cluster_or_skip().await else { return };
    let service = service(&cluster.url()).await;
    let mut victim: RedisServer = cluster.nodes.remove(2);
    let ids = submit_all(&service, async || {
        victim.kill().unwrap();
        victim.restart().await.unwrap();
    })
    .await;
    all_ended_once(&service, &ids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_moves_under_load_loses_nothing() {
    let Some(cluster) = cluster_or_skip().await else { return };
    let service = service(&cluster.url()).await;
    let ids = submit_all(&service, async || {
        // Shard 1 lies on the first node, and shard 2 on the last.
        let moved = cluster.move_slot_of("{aisle:1}:meta", 2).await.unwrap();
        assert!(moved > 0, "there was nothing to move");
        cluster.move_slot_of("{aisle:2}:meta", 0).await.unwrap();
    })
    .await;
    all_ended_once(&service, &ids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_of_shards_is_refused_while_there_are_jobs() {
    let Ok(server) = RedisServer::start().await else { return };
    let mut service = service(&server.url()).await;
    let id = submit(&service, 0).await;
    service.ended(&id).await;
    service.stop("api").await;
    service.stop("worker").await;
    service.set("AISLE_REDIS_SHARDS", "2");
    let refused = service.run(&["api"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("redis_shards is now 2"), "{said}");
    service.set("AISLE_REDIS_SHARDS", SHARDS);
    service.begin(Processes::Apart).await;
    service.ended(&id).await;
}

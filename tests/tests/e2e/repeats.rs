//! Clients that try again with the same key, whatever became of their first
//! request: one job for each key.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::service::{Processes, Service};
use aisle_tests::wait;
use image::ImageFormat;
use reqwest::Client;
use reqwest::multipart::{Form, Part};
use serde_json::Value;

/// Times that the API is killed.
const KILLS: u64 = 10;

/// Requests under way at each.
const AT_ONCE: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_repeated_after_the_api_was_killed_is_one_job_over_sqlite() {
    kill_the_api_under_way(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_repeated_after_the_api_was_killed_is_one_job_over_redis() {
    kill_the_api_under_way(Backend::Redis).await;
}

async fn kill_the_api_under_way(backend: Backend) {
    let mut service = Service::tiny(backend, Processes::Apart, &[]).await;
    let bytes = picture(Colour::ALL[0], 64, 64, ImageFormat::Jpeg);
    let mut jobs: HashMap<String, String> = HashMap::new();
    for round in 0..KILLS {
        let keys: Vec<_> = (0..AT_ONCE).map(|n| format!("round-{round}-{n}")).collect();
        let url = service.url("/v1/jobs");
        let firsts: Vec<_> = keys
            .iter()
            .map(|key| {
                let sent = submit(service.client.clone(), url.clone(), key.clone(), bytes.clone());
                tokio::spawn(sent)
            })
            .collect();
        if round + 1 < KILLS {
            // Each round a little later: before and while the jobs are written.
            let pause = Duration::from_millis(20 * round);
            let _ = tokio::time::timeout(pause, std::future::pending::<()>()).await;
        } else {
            // Last when all of them are, whether or not it was told.
            wait::until("every job of the round", || async {
                (all_jobs(&service).await.len() == jobs.len() + AT_ONCE).then_some(())
            })
            .await;
        }
        service.kill("api");
        let mut acknowledged = HashMap::new();
        for (key, first) in keys.iter().zip(firsts) {
            if let Some(id) = first.await.unwrap() {
                acknowledged.insert(key.clone(), id);
            }
        }
        service.spawn("api");
        service.wait_until_ready().await;
        for key in keys {
            let id = wait::until("an acknowledgement", || {
                submit(service.client.clone(), url.clone(), key.clone(), bytes.clone())
            })
            .await;
            if let Some(first) = acknowledged.get(&key) {
                assert_eq!(*first, id, "{key} made two jobs");
            }
            jobs.insert(key, id);
        }
    }
    let ids: HashSet<_> = jobs.values().cloned().collect();
    assert_eq!(ids.len() as u64, KILLS * AT_ONCE as u64);
    assert_eq!(all_jobs(&service).await, ids, "a repeated request left a job of its own");
    for id in &ids {
        assert_eq!(service.ended(id).await["status"], "succeeded");
    }
}

/// The job's id, or nothing where the request was not acknowledged.
async fn submit(client: Client, url: String, key: String, bytes: Vec<u8>) -> Option<String> {
    let form = Form::new().part("image", Part::bytes(bytes).file_name("picture.jpg"));
    let sent = client.post(url).header("Idempotency-Key", &key).multipart(form).send().await;
    let answer = sent.ok()?;
    let status = answer.status();
    let body: Value = answer.json().await.ok()?;
    if status == reqwest::StatusCode::ACCEPTED {
        return body["id"].as_str().map(str::to_owned);
    }
    assert!(status.is_server_error(), "{key}: {status} {body}");
    None
}

async fn all_jobs(service: &Service) -> HashSet<String> {
    let mut ids = HashSet::new();
    let mut page = "/v1/jobs?limit=100".to_owned();
    loop {
        let list = service.get(&page).await;
        let data = list["data"].as_array().expect("jobs");
        ids.extend(data.iter().map(|job| job["id"].as_str().expect("an id").to_owned()));
        match list["next_cursor"].as_str() {
            Some(cursor) => page = format!("/v1/jobs?limit=100&cursor={cursor}"),
            None => return ids,
        }
    }
}

//! Jobs are taken in whole, in as few steps as their size allows.

use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::redis_server::heard;
use aisle_tests::service::{Processes, Service};
use image::ImageFormat;
use reqwest::multipart::{Form, Part};
use reqwest::{Response, StatusCode};
use serde_json::Value;

/// Uploads whose round trips are counted.
const UPLOADS: usize = 20;

on_both_stores!(
    a_submission_is_answered_with_what_a_look_at_the_job_finds,
    images_of_jobs_of_any_size_reach_the_worker,
);

/// A picture of at least so many bytes: what follows its end is no matter.
fn padded(bytes: usize) -> Vec<u8> {
    let mut file = picture(Colour::ALL[0], 64, 64, ImageFormat::Jpeg);
    file.resize(bytes.max(file.len()), 0);
    file
}

async fn submit(service: &Service, images: &[Vec<u8>], fields: &[(&str, &str)]) -> Response {
    let form = images.iter().fold(Form::new(), |form, bytes| {
        form.part("image", Part::bytes(bytes.clone()).file_name("picture.jpg"))
    });
    let form = fields
        .iter()
        .fold(form, |form, (name, value)| form.text((*name).to_owned(), (*value).to_owned()));
    let url = service.url("/v1/jobs");
    let answer = service.client.post(url).multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED, "{}", service.logs());
    answer
}

async fn a_submission_is_answered_with_what_a_look_at_the_job_finds(backend: Backend) {
    let mut service = Service::tiny(backend, Processes::Apart, &[]).await;
    // Nobody works on the jobs, so they stay as they are.
    service.stop("worker").await;
    let metadata = r#"{"z":31.245270191439438,"a":[1e300,-0.0,12345678901234567890],"ü":null}"#;
    let all = [("metadata", metadata), ("top_k", "1"), ("priority", "bulk"), ("cache", "false")];
    for (count, fields) in [(1, &[][..]), (3, &all), (250, &all)] {
        let answer = submit(&service, &vec![padded(1_000); count], fields).await;
        let tag = answer.headers()["etag"].clone();
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let told = answer.text().await.unwrap();
        let found = service.client.get(service.url(&location)).send().await.unwrap();
        assert_eq!(found.headers()["etag"], tag);
        assert_eq!(found.text().await.unwrap(), told);
    }
}

async fn images_of_jobs_of_any_size_reach_the_worker(backend: Backend) {
    let service = Service::tiny(backend, Processes::Apart, &[]).await;
    // Alone and together with the job; of a file's size; together too many
    // bytes; the last of them too many; too many items for one step.
    for sizes in [
        vec![0],
        vec![30_000; 20],
        vec![400_000],
        vec![60_000; 30],
        [vec![1_000; 5], vec![1_100_000]].concat(),
        vec![1_000; 210],
    ] {
        let images: Vec<Vec<u8>> = sizes.iter().map(|bytes| padded(*bytes)).collect();
        let told: Value = submit(&service, &images, &[]).await.json().await.unwrap();
        let job = service.ended(told["id"].as_str().unwrap()).await;
        assert_eq!(job["status"], "succeeded", "{sizes:?}: {job}");
        assert_eq!(job["items"]["succeeded"], sizes.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_asked_nothing_more_about_a_small_upload() {
    let mut service = Service::tiny(Backend::Redis, Processes::Apart, &[]).await;
    service.stop("worker").await;
    let image = [padded(30_000)];
    // From here on the server knows the scripts.
    submit(&service, &image, &[]).await;
    let server = service.redis().address();
    let (jobs, heard) = heard(server, async {
        let mut jobs = Vec::new();
        for _ in 0..UPLOADS {
            let job: Value = submit(&service, &image, &[]).await.json().await.unwrap();
            jobs.push(job["id"].as_str().unwrap().to_owned());
        }
        jobs
    })
    .await
    .unwrap();
    for job in &jobs {
        let named: Vec<_> = heard.iter().filter(|line| line.contains(job)).collect();
        let [bytes, script] = named[..] else { panic!("{} commands for {job}", named.len()) };
        assert!(bytes.contains("\"SET\"") && script.contains("\"EVALSHA\""));
    }
    // The others are those of a process that takes care of the store.
    assert!(heard.len() < 3 * UPLOADS, "{} commands for {UPLOADS} uploads", heard.len());
}

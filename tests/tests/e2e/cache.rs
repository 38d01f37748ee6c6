//! The same picture again costs a look-up, and changes no answer.

use std::path::Path;

use ::redis::AsyncTypedCommands as _;
use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::service::{Processes, Service};
use aisle_tests::tiny_model;
use image::ImageFormat;
use reqwest::Client;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

const ON: (&str, &str) = ("AISLE_CACHE_MAX_ENTRIES", "1000");

on_both_stores!(
    the_same_picture_again_gets_the_same_answer_from_the_cache,
    the_same_picture_many_times_at_once_is_classified_once,
    no_tenant_gets_what_another_has_sent,
    a_changed_model_never_gives_an_old_answer,
    a_damaged_answer_is_no_answer,
    an_image_that_failed_is_tried_again,
    workers_killed_in_the_middle_lose_nothing_that_the_cache_could_hide,
);

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_found_in_every_shard() {
    let settings = [ON, ("AISLE_REDIS_SHARDS", "4")];
    let mut service = Service::tiny(Backend::Redis, Processes::Apart, &settings).await;
    let pictures: Vec<Vec<u8>> = (300..340).map(drawn).collect();
    let first = job(&service, &pictures, "").await;
    assert_eq!(cached(&first), [false; 40]);
    // It has kept all its answers when it has stopped.
    service.stop("worker").await;
    let mut redis = service.redis().connect().await.unwrap();
    for shard in 0..4 {
        let kept = redis.zcard(format!("{{aisle:{shard}}}:answers")).await.unwrap();
        assert!(kept > 0, "shard {shard} keeps none");
    }
    service.spawn("worker");
    service.wait_until_ready().await;
    let again = job(&service, &pictures, "").await;
    assert_eq!(cached(&again), [true; 40]);
}

async fn tiny(backend: Backend) -> Service {
    Service::tiny(backend, Processes::Apart, &[ON]).await
}

/// A picture that differs from those of every other size.
fn drawn(side: u32) -> Vec<u8> {
    picture(Colour::ALL[side as usize % 3], side, side, ImageFormat::Png)
}

async fn submit(service: &Service, client: &Client, pictures: &[Vec<u8>], query: &str) -> String {
    let form = pictures.iter().fold(Form::new(), |form, bytes| {
        form.part("image", Part::bytes(bytes.clone()).file_name("picture.png"))
    });
    let url = service.url(&format!("/v1/jobs{query}"));
    let answer = client.post(url).multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
    let job: Value = answer.json().await.unwrap();
    job["id"].as_str().unwrap().to_owned()
}

/// The job of these pictures when it has ended.
async fn job(service: &Service, pictures: &[Vec<u8>], query: &str) -> Value {
    let id = submit(service, &service.client, pictures, query).await;
    service.ended(&id).await
}

/// What must not differ between an answer and the same from the cache.
fn substance(result: &Value) -> String {
    ["status", "predictions", "levels", "model_version", "provider", "precision", "image"]
        .map(|part| result[part].to_string())
        .join("\n")
}

fn cached(job: &Value) -> Vec<bool> {
    let results = job["results"].as_array().unwrap();
    results.iter().map(|result| result["cached"].as_bool().unwrap()).collect()
}

/// How many look-ups had that result.
async fn counted(service: &Service, result: &str) -> f64 {
    let shown = service.client.get(service.url("/metrics")).send().await.unwrap();
    let series = format!("aisle_cache_lookups_total{{model=\"tiny\",result=\"{result}\"}} ");
    let shown = shown.text().await.unwrap();
    let value = shown.lines().find_map(|line| line.strip_prefix(&series));
    value.map_or(0.0, |value| value.parse().unwrap())
}

async fn the_same_picture_again_gets_the_same_answer_from_the_cache(backend: Backend) {
    let service = Service::tiny(backend, Processes::One, &[ON]).await;
    let pictures: Vec<Vec<u8>> = (20..30).map(drawn).collect();
    let first = job(&service, &pictures, "?top_k=1").await;
    assert_eq!((cached(&first), &first["items"]["cached"]), (vec![false; 10], &json!(0)));
    let anew = job(&service, &pictures, "?top_k=3&cache=false").await;
    assert_eq!((cached(&anew), &anew["cache"]), (vec![false; 10], &json!(false)));

    let again = job(&service, &pictures, "?top_k=3").await;
    assert_eq!(cached(&again), [true; 10], "{again}");
    assert_eq!(again["items"]["cached"], 10);
    for (anew, again) in
        anew["results"].as_array().unwrap().iter().zip(again["results"].as_array().unwrap())
    {
        assert_eq!(substance(anew), substance(again));
        assert_eq!(again["batch_size"], json!(null));
        assert_eq!(again["timings"]["inference_ms"], 0.0);
    }
    let shorter = job(&service, &pictures, "?top_k=1").await;
    for (first, shorter) in
        first["results"].as_array().unwrap().iter().zip(shorter["results"].as_array().unwrap())
    {
        assert_eq!(substance(first), substance(shorter));
    }
    // Those that came too soon after the first found it still on its way.
    let found = counted(&service, "hit").await + counted(&service, "shared").await;
    assert_eq!((counted(&service, "miss").await, found), (10.0, 20.0));
}

async fn the_same_picture_many_times_at_once_is_classified_once(backend: Backend) {
    let service = tiny(backend).await;
    let pictures = vec![drawn(40); 30];
    let job = job(&service, &pictures, "").await;
    assert_eq!(job["items"]["succeeded"], 30, "{job}");
    assert_eq!(job["items"]["cached"], 29, "{job}");
    let results = job["results"].as_array().unwrap();
    assert!(results.iter().all(|result| substance(result) == substance(&results[0])));
}

async fn no_tenant_gets_what_another_has_sent(backend: Backend) {
    let service = Service::tiny_with_keys(backend, Processes::Apart, &[ON]).await;
    let pictures = [drawn(50)];
    let mine = job(&service, &pictures, "").await;
    assert_eq!(cached(&mine), [false]);
    let stranger = service.client_with(&service.key("stranger", "jobs:write,jobs:read"));
    for expected in [false, true] {
        let id = submit(&service, &stranger, &pictures, "").await;
        let url = service.url(&format!("/v1/jobs/{id}"));
        let theirs = stranger.get(url).header("prefer", "wait=60").send().await.unwrap();
        let theirs: Value = theirs.json().await.unwrap();
        assert_eq!(cached(&theirs), [expected]);
        assert_eq!(substance(&theirs["results"][0]), substance(&mine["results"][0]));
    }
}

async fn a_changed_model_never_gives_an_old_answer(backend: Backend) {
    let mut service = tiny(backend).await;
    let pictures = [drawn(60)];
    let before = job(&service, &pictures, "").await;
    service.stop("worker").await;
    rename_a_category(&service.folder().join("models"));
    service.spawn("worker");
    service.wait_until_ready().await;
    let after = job(&service, &pictures, "").await;
    assert_eq!(cached(&after), [false]);
    let label = |job: &Value| job["results"][0]["predictions"][0]["label"].to_string();
    assert_eq!(
        (label(&before), label(&after)),
        ("\"Warm > Red\"".into(), "\"Warm > Rose\"".into())
    );
    service.stop("worker").await;
    tiny_model::write(&service.folder().join("models"), "tiny").unwrap();
    service.spawn("worker");
    service.wait_until_ready().await;
    let back = job(&service, &pictures, "").await;
    assert_eq!((cached(&back), label(&back)), (vec![true], label(&before)));
}

fn rename_a_category(models: &Path) {
    let config = models.join("tiny").join("config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("Warm > Red", "Warm > Rose")).unwrap();
}

async fn a_damaged_answer_is_no_answer(backend: Backend) {
    let mut service = tiny(backend).await;
    let pictures: Vec<Vec<u8>> = (70..74).map(drawn).collect();
    let before = job(&service, &pictures, "").await;
    // It has kept all its answers when it has stopped.
    service.stop("worker").await;
    assert_eq!(damage_the_answers(&mut service, backend).await, 4);
    service.spawn("worker");
    service.wait_until_ready().await;
    for expected in [false, true] {
        let job = job(&service, &pictures, "").await;
        assert_eq!(cached(&job), [expected; 4]);
        for (before, result) in
            before["results"].as_array().unwrap().iter().zip(job["results"].as_array().unwrap())
        {
            assert_eq!(substance(before), substance(result));
        }
    }
}

/// Damages each kept answer in another way; answers how many there are.
async fn damage_the_answers(service: &mut Service, backend: Backend) -> usize {
    let damaged = |entry: Vec<u8>, number: usize| match number {
        0 => Vec::new(),
        1 => entry[..entry.len() - 1].to_vec(),
        2 => entry.iter().map(|byte| byte ^ 1).collect(),
        _ => [&[9], &entry[1..]].concat(),
    };
    match backend {
        Backend::Sqlite => {
            let db = rusqlite::Connection::open(service.folder().join("aisle.db")).unwrap();
            let mut select = db.prepare("SELECT key, entry FROM cache").unwrap();
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            let rows: Vec<(Vec<u8>, Vec<u8>)> = rows.map(Result::unwrap).collect();
            for (number, (key, entry)) in rows.iter().enumerate() {
                let update = "UPDATE cache SET entry = ?2 WHERE key = ?1";
                db.execute(update, (key, damaged(entry.clone(), number))).unwrap();
            }
            rows.len()
        }
        Backend::Redis => {
            let mut redis = service.redis().connect().await.unwrap();
            let keys = redis.keys("*:answer:*").await.unwrap();
            for (number, key) in keys.iter().enumerate() {
                let entry: Vec<u8> =
                    ::redis::cmd("GET").arg(key).query_async(&mut redis).await.unwrap();
                let mut set = ::redis::cmd("SET");
                set.arg(key).arg(damaged(entry, number)).arg("KEEPTTL");
                let _: () = set.query_async(&mut redis).await.unwrap();
            }
            keys.len()
        }
    }
}

async fn an_image_that_failed_is_tried_again(backend: Backend) {
    let service = tiny(backend).await;
    let whole = drawn(80);
    let broken = whole[..whole.len() / 2].to_vec();
    for _ in 0..2 {
        let pictures = [broken.clone(), whole.clone(), broken.clone(), broken.clone()];
        let job = job(&service, &pictures, "").await;
        assert_eq!((&job["status"], &job["items"]["failed"]), (&json!("partial"), &json!(3)));
        for place in [0, 2, 3] {
            let result = &job["results"][place];
            assert_eq!(
                (&result["error"]["code"], &result["cached"]),
                (&json!("truncated"), &json!(false))
            );
        }
    }
}

async fn workers_killed_in_the_middle_lose_nothing_that_the_cache_could_hide(backend: Backend) {
    let mut service = tiny(backend).await;
    // Each picture three times, so that some wait for others when the end comes.
    let pictures: Vec<Vec<u8>> = (0..120).map(|number| drawn(100 + number / 3)).collect();
    let mut jobs = Vec::new();
    for _ in 0..4 {
        jobs.push(submit(&service, &service.client, &pictures, "").await);
        service.kill("worker");
        service.spawn("worker");
    }
    let anew = job(&service, &pictures, "?cache=false").await;
    let right: Vec<String> = anew["results"].as_array().unwrap().iter().map(substance).collect();
    for id in jobs {
        let job = service.ended(&id).await;
        assert_eq!(job["status"], "succeeded", "{job}");
        let given: Vec<String> = job["results"].as_array().unwrap().iter().map(substance).collect();
        assert_eq!(given, right);
    }
}

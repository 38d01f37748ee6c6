//! The history of jobs.

use serde_json::{Value, json};

use crate::rig::{Rig, classified, failed, get, submit, submit_urls};

fn addresses(page: &Value) -> Vec<String> {
    let jobs = page["data"].as_array().unwrap();
    jobs.iter().map(|job| job["urls"]["self"].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn pages_follow_each_other_from_the_newest_job_to_the_oldest() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let mut jobs = Vec::new();
    for _ in 0..5 {
        jobs.push(submit_urls(&app, 1).await);
    }
    jobs.reverse();

    let mut seen = Vec::new();
    let mut next = Some("/v1/jobs?limit=2".to_owned());
    while let Some(uri) = next {
        let answer = get(&app, &uri).await;
        let page = answer.json();
        assert!(page["data"].as_array().unwrap().len() <= 2);
        seen.extend(addresses(&page));
        next =
            page["next_cursor"].as_str().map(|cursor| format!("/v1/jobs?limit=2&cursor={cursor}"));
        let link = next.as_ref().map(|uri| format!("<{uri}>; rel=\"next\""));
        assert_eq!(answer.header("link"), link.as_deref());
    }
    assert_eq!(seen, jobs);
}

#[actix_web::test]
async fn a_list_can_be_held_to_a_status_and_a_model() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let good = submit(&app, 1).await;
    rig.work(classified).await;
    let bad = submit(&app, 1).await;
    rig.work(failed).await;
    let list = async |query: &str| addresses(&get(&app, &format!("/v1/jobs?{query}")).await.json());
    assert_eq!(list("status=succeeded").await, [good.as_str()]);
    assert_eq!(list("status=failed&model=flowers").await, [bad.as_str()]);
    assert_eq!(list("status=queued").await, [] as [&str; 0]);
    assert_eq!(list("model=other").await, [] as [&str; 0]);
    assert_eq!(list("").await, [bad, good]);
}

#[actix_web::test]
async fn small_jobs_are_listed_with_their_results_and_large_ones_without() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    submit_urls(&app, 21).await;
    submit_urls(&app, 20).await;
    rig.work(classified).await;
    let page = get(&app, "/v1/jobs").await.json();
    assert_eq!(page["data"][0]["results"].as_array().unwrap().len(), 20);
    assert_eq!(page["data"][0]["next_results"], json!(null));
    assert_eq!(page["data"][1]["results"], json!([]));
    assert_eq!(page["data"][1]["next_results"], 0);
}

#[actix_web::test]
async fn a_query_that_makes_no_sense_is_refused_by_the_name_of_its_parameter() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    for (query, parameter, code) in [
        ("limit=0", "limit", "invalid_query"),
        ("limit=101", "limit", "invalid_query"),
        ("limit=x", "limit", "invalid_query"),
        ("status=done", "status", "invalid_query"),
        ("model=..", "model", "invalid_query"),
        ("cursor=x", "cursor", "invalid_cursor"),
    ] {
        let answer = get(&app, &format!("/v1/jobs?{query}")).await;
        assert_eq!(answer.problem(), (400, code.to_owned()), "{query}");
        assert_eq!(answer.json()["errors"][0]["parameter"], parameter, "{query}");
    }
    assert_eq!(get(&app, "/v1/jobs?page=2").await.problem().1, "invalid_query");
}

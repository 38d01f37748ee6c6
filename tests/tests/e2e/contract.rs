//! The service keeps to its own OpenAPI document, whoever calls.

use std::process::Command;

use aisle_tests::harness::Backend;
use aisle_tests::places::repository;
use aisle_tests::service::{ALL_SCOPES, Processes, Service};

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_answer_that_the_document_does_not_describe() {
    let service = Service::tiny_with_keys(Backend::Sqlite, Processes::One, &[]).await;
    let key = format!("Authorization: Bearer {}", service.key("schemathesis", ALL_SCOPES));
    let schemathesis = repository().join(".runtime/venv/bin/schemathesis");
    assert!(schemathesis.exists(), "schemathesis is absent: `make setup-tests` brings it");
    let url = service.url("/openapi.json");
    let reports = tempfile::tempdir().expect("a temporary folder");
    let run = tokio::task::spawn_blocking(move || {
        Command::new(schemathesis)
            .args(["run", &url, "--seed", "7", "--max-examples", "40", "--workers", "1"])
            // Longer than the longest wait that an example asks for.
            .args(["--request-timeout", "30"])
            .args(["--header", &key])
            .args(["--generation-database", "none", "--no-color"])
            .args(["--exclude-path-regex", "/events$"])
            // What a schema cannot say is refused all the same: a form without
            // an image, a cursor that no list returned, a job deleted before.
            // Wrong keys are soon throttled, which is neither 401 nor 403.
            .args(["--exclude-checks", "positive_data_acceptance,ignored_auth"])
            .current_dir(reports.path())
            .output()
    });
    let run = run.await.unwrap().expect("schemathesis runs");
    let said = String::from_utf8_lossy(&run.stdout);
    let tail: Vec<_> = said.lines().rev().take(200).collect();
    let tail: Vec<_> = tail.into_iter().rev().collect();
    assert!(run.status.success(), "{}\n{}", tail.join("\n"), String::from_utf8_lossy(&run.stderr));
}

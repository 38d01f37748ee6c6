//! Paths, queries and cursors that lead nowhere.

use aisle_tests::harness::Backend;

use crate::rig::{Answer, Target, refused};

fn get(address: &str) -> Vec<u8> {
    format!("GET {address} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn a_cursor_that_no_list_has_returned_is_refused() {
    let target = Target::start(Backend::Sqlite).await;
    let long = "A".repeat(30_000);
    for cursor in [
        "x",
        "%00",
        "MTIz",
        "..%2f..%2fetc%2fpasswd",
        "MTc2NzIyNTYwMDEyMy4%3D",
        "OTk5OTk5OTk5OTk5OTk5OTk5OTkuMDE5MmY3YTQtNmIxZS03YzFhLTljNTktMWYzYzljMmI3ZDEw",
        "'%20OR%201=1--",
        "%F0%9F%92%A9",
        &long,
    ] {
        let answer = target.send(&get(&format!("/v1/jobs?cursor={cursor}"))).await;
        assert_eq!(answer, refused(400, "invalid_cursor"), "{cursor}");
    }
    for query in
        ["cursor=%FF&limit=1", "limit=-1", "limit=1e3", "limit=99999999999", "status=x", "a=%"]
    {
        let answer = target.send(&get(&format!("/v1/jobs?{query}"))).await;
        assert!(matches!(answer, Answer::Status(400, _)), "{query}: {answer:?}");
    }
    target.assert_unharmed().await;
}

#[tokio::test]
async fn a_path_leads_to_no_file() {
    let target = Target::start(Backend::Sqlite).await;
    for path in [
        "/docs/../../../../etc/passwd",
        "/docs/%2e%2e/%2e%2e/etc/passwd",
        "/docs/..%2f..%2fetc%2fpasswd",
        "/docs//etc/passwd",
        "/docs/..\\..\\etc\\passwd",
        "/v1/../../etc/passwd",
        "/v1/jobs/..%2f..",
        "/v1/jobs/%00",
        "/v1/jobs/0192f7a4-6b1e-7c1a-9c59-1f3c9c2b7d10%00",
        "/v1/jobs/0192f7a4-6b1e-7c1a-9c59-1f3c9c2b7d10/..",
        "/v1/jobs/%F0%9F%92%A9",
        "//127.0.0.1/",
        "http://127.0.0.1/v1/nothing",
    ] {
        let answer = target.send(&get(path)).await;
        assert!(matches!(answer, Answer::Status(400..=404, _)), "{path}: {answer:?}");
    }
    target.assert_unharmed().await;
}

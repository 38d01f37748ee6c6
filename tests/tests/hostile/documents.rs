//! JSON documents that are deep, wide, giant or ambiguous.

use aisle_tests::harness::Backend;

use crate::rig::{Answer, Target, chunk, head, post, refused};

const JSON: &str = "application/json";
const URL: &str = r#"{"url":"https://shop.example.com/a.jpg"}"#;

#[tokio::test]
async fn a_document_that_is_none_is_refused() {
    let target = Target::start(Backend::Sqlite).await;
    let deep = "[".repeat(100_000);
    let closed = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let objects = r#"{"a":"#.repeat(100_000);
    for body in [
        deep.clone(),
        objects.clone(),
        format!(r#"{{"images":{closed}}}"#),
        format!(r#"{{"images":[{URL}],"metadata":{{"a":{closed}}}}}"#),
        format!(r#"{{"images":[{URL}],"metadata":{objects}"#),
        format!(r#"{{"images":[{URL}],"top_k":{}}}"#, "9".repeat(100_000)),
        format!(r#"{{"images":[{URL}],"top_k":1e999999999}}"#),
        format!(r#"{{"images":[{URL}],"top_k":-0}}"#),
        format!(r#"{{"images":[{URL}],"top_k":1.5}}"#),
        format!(r#"{{"images":[{URL}],"images":[{URL}]}}"#),
        format!(r#"{{"images":[{URL}],"top_k":1,"top_k":2}}"#),
        r#"{"images":[{"url":"https://a.example/","url":"http://127.0.0.1/"}]}"#.to_owned(),
        r#"{"images":[{"url":"https://a.example/","base64":""}]}"#.to_owned(),
        format!(r#"{{"images":[{URL}],"__proto__":{{}}}}"#),
        format!(r#"{{"images":[{URL}]}}{{"images":[]}}"#),
        format!("\u{feff}{{\"images\":[{URL}]}}"),
        r#"{"images":[{"url":"\ud800"}]}"#.to_owned(),
        r#"{"images":[{"base64":"QUJD RA=="}]}"#.to_owned(),
        r#"{"images":[{"base64":"QUJD\nRA=="}]}"#.to_owned(),
        r#"{"images":[{"base64":"QUJDRA"}]}"#.to_owned(),
        r#"{"images":[{"base64":"QUJDRB=="}]}"#.to_owned(),
        r#"{"images":[{"base64":"data:image/png;base64,QUJD"}]}"#.to_owned(),
        "NaN".to_owned(),
        String::new(),
    ] {
        let shown: String = body.chars().take(100).collect();
        let answer = target.send(&post(JSON, &[], body.as_bytes())).await;
        assert_eq!(answer, refused(400, "invalid_request"), "{shown}");
    }
    let not_utf8 = post(JSON, &[], b"{\"images\":[{\"url\":\"\xff\xfe\"}]}");
    assert_eq!(target.send(&not_utf8).await, refused(400, "invalid_request"));
    let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16 = post("application/json; charset=utf-16", &[], &utf16);
    assert_eq!(target.send(&utf16).await, refused(400, "invalid_request"));
    target.assert_unharmed().await;
}

#[tokio::test]
async fn a_giant_document_is_refused_before_it_is_whole() {
    let target = Target::start(Backend::Sqlite).await;
    let announced = head(JSON, &["Content-Length: 52428800"]);
    assert_eq!(target.send(announced.as_bytes()).await, refused(413, "body_too_large"));

    let begin = head(JSON, &["Transfer-Encoding: chunked"]).into_bytes();
    let image = std::iter::once(chunk(br#"{"images":[{"base64":""#));
    let image = image.chain(std::iter::repeat_n(chunk(&[b'A'; 65_536]), 50 * 16));
    let answer = target.send_all(std::iter::once(begin).chain(image)).await;
    assert!(answer == refused(413, "body_too_large") || answer == Answer::Closed, "{answer:?}");
    target.assert_unharmed().await;
}

/// Each body is near the longest that is read, and made of what takes the
/// most memory for its length once it is parsed.
#[tokio::test]
async fn a_document_costs_no_more_memory_than_its_length_allows() {
    let target = Target::start(Backend::Sqlite).await;
    let zeros = "0,".repeat(15 << 20);
    let metadata = format!(r#"{{"images":[{URL}],"metadata":{{"a":[{zeros}0]}}}}"#);
    let answer = target.send(&post(JSON, &[], metadata.as_bytes())).await;
    assert_eq!(answer, refused(400, "invalid_request"));

    let urls = r#"{"url":""},"#.repeat(2 << 20);
    let images = format!(r#"{{"images":[{urls}{URL}]}}"#);
    let answer = target.send(&post(JSON, &[], images.as_bytes())).await;
    assert_eq!(answer, refused(413, "too_many_images"));
    target.assert_unharmed().await;
}

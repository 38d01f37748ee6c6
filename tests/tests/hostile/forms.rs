//! Forms that are malformed, too large, or climb.

use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use image::ImageFormat;

use crate::rig::{Answer, Target, chunk, head, post, refused};

const FORM: &str = "multipart/form-data; boundary=B";
const IMAGE: &str = "Content-Disposition: form-data; name=\"image\"; filename=\"a.png\"";

fn part(head: &str, body: &[u8]) -> Vec<u8> {
    [b"--B\r\n", head.as_bytes(), b"\r\n\r\n", body, b"\r\n"].concat()
}

fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), b"--B--\r\n".to_vec()].concat()
}

fn png() -> Vec<u8> {
    picture(Colour::Blue, 32, 32, ImageFormat::Png)
}

#[tokio::test]
async fn a_form_that_is_none_is_refused_over_sqlite() {
    malformed_forms(Backend::Sqlite).await;
}

#[tokio::test]
async fn a_form_that_is_none_is_refused_over_redis() {
    malformed_forms(Backend::Redis).await;
}

async fn malformed_forms(backend: Backend) {
    let target = Target::start(backend).await;
    let invalid = |form: Vec<u8>| (form, refused(400, "invalid_request"));
    let named = |name: &str| format!("Content-Disposition: form-data; name={name}");
    let nested = part(
        &format!("{IMAGE}\r\nContent-Type: multipart/mixed; boundary=C"),
        b"--C\r\nContent-Disposition: file; filename=\"a\"\r\n\r\nx\r\n--C--",
    );
    for (form, expected) in [
        (form(&[]), refused(400, "no_images")),
        invalid(Vec::new()),
        invalid(form(&[part("Content-Disposition: form-data", b"x")])),
        invalid(form(&[part("Content-Type: image/png", &png())])),
        invalid(form(&[part(&named("\"im\0age\""), b"x")])),
        invalid(form(&[part(&named("\"\u{202e}egami\""), b"x")])),
        invalid(form(&[part(&named(&format!("\"{}\"", "n".repeat(10_000))), b"x")])),
        invalid(form(&[part(&"X: y\r\n".repeat(1_000), b"x")])),
        invalid(form(&[nested])),
        invalid(b"--B\r\n".to_vec()),
        invalid([part(IMAGE, &png()), b"--".to_vec()].concat()),
        invalid(b"--other\r\n\r\n\r\n--other--\r\n".to_vec()),
        invalid(form(&[part(&format!("{IMAGE}\r\nContent-Length: 18446744073709551616"), b"x")])),
        (form(&vec![part(IMAGE, b"GIF89a"); 1_001]), refused(413, "too_many_images")),
    ] {
        let shown = String::from_utf8_lossy(&form[..form.len().min(200)]).into_owned();
        assert_eq!(target.send(&post(FORM, &[], &form)).await, expected, "{shown}");
    }
    for content_type in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\r",
        "multipart/form-data; boundary=B; boundary=C",
    ] {
        let answer = target.send(&post(content_type, &[], &form(&[part(IMAGE, b"x")]))).await;
        assert!(matches!(answer, Answer::Status(400 | 413 | 415, _)), "{content_type}: {answer:?}");
    }
    let packed = post(FORM, &["Content-Encoding: gzip"], b"\x1f\x8b\x08\0\0\0\0\0");
    assert_eq!(target.send(&packed).await, refused(415, "unsupported_media_type"));
    target.assert_unharmed().await;
}

#[tokio::test]
async fn a_file_name_names_no_file() {
    let target = Target::start(Backend::Sqlite).await;
    for name in ["../../climbed", "/climbed", "..\\climbed", "climbed\0.png", "%2e%2e%2fclimbed"] {
        let head = format!("Content-Disposition: form-data; name=\"image\"; filename=\"{name}\"");
        let answer = target.send(&post(FORM, &[], &form(&[part(&head, &png())]))).await;
        let accepted = Answer::Status(202, String::new());
        assert!(answer == accepted || answer == refused(400, "invalid_request"), "{name:?}");
    }
    let above = target.service.folder().join("../climbed");
    assert!(!above.exists() && !std::path::Path::new("/climbed").exists());
    target.assert_unharmed().await;
}

#[tokio::test]
async fn a_form_that_says_it_is_giant_is_refused_before_it_comes() {
    let target = Target::start(Backend::Sqlite).await;
    for length in ["2147483648", "18446744073709551615"] {
        let length = format!("Content-Length: {length}");
        let answer = target.send(head(FORM, &[&length]).as_bytes()).await;
        assert_eq!(answer, refused(413, "body_too_large"), "{length}");
    }
    target.assert_unharmed().await;
}

#[tokio::test]
async fn a_form_without_end_is_cut_over_sqlite() {
    endless_forms(Backend::Sqlite).await;
}

#[tokio::test]
async fn a_form_without_end_is_cut_over_redis() {
    endless_forms(Backend::Redis).await;
}

async fn endless_forms(backend: Backend) {
    let target = Target::start(backend).await;
    let begin = |head_of_part: &str| {
        let head = head(FORM, &["Transfer-Encoding: chunked"]);
        [head.as_bytes(), &chunk(format!("--B\r\n{head_of_part}").as_bytes())].concat()
    };
    let image = format!("{IMAGE}\r\n\r\n");
    let url = "Content-Disposition: form-data; name=\"url\"\r\n\r\n";
    // An image, a field and a header, each without end.
    for (begin, expected) in [
        (begin(&image), refused(413, "too_large")),
        (begin(url), refused(400, "invalid_request")),
        (begin("X-Long: "), refused(413, "body_too_large")),
    ] {
        let more = std::iter::repeat_with(|| chunk(&[b'a'; 65_536]));
        let answer = target.send_all(std::iter::once(begin).chain(more)).await;
        // Who goes on sending may lose the answer.
        assert!(answer == expected || answer == Answer::Closed, "{answer:?}: {expected:?}");
    }
    let url = part("Content-Disposition: form-data; name=\"url\"", b"https://shop.example/");
    let parts = std::iter::repeat_with(|| chunk(&url.repeat(1_000)));
    let head = head(FORM, &["Transfer-Encoding: chunked"]).into_bytes();
    let answer = target.send_all(std::iter::once(head).chain(parts)).await;
    assert!(answer == refused(413, "too_many_images") || answer == Answer::Closed, "{answer:?}");
    target.assert_unharmed().await;
}

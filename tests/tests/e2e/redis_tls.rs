//! Redis over TLS.

use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::places::free_port;
use aisle_tests::redis_server::RedisServer;
use aisle_tests::service::{Processes, Service};
use image::ImageFormat;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_reached_over_tls_if_its_certificate_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let [cert, key] = [cert, key].map(|path| path.display().to_string());
    let port = free_port().to_string();
    let settings = [
        ("tls-port", port.as_str()),
        ("tls-cert-file", &cert),
        ("tls-key-file", &key),
        ("tls-auth-clients", "no"),
    ];
    let server = match RedisServer::start_with(&settings).await {
        Ok(server) => server,
        Err(error) => {
            println!("skipped: no Redis with TLS here: {error:#}");
            return;
        }
    };
    let url = format!("rediss://localhost:{port}/");
    let settings = [("AISLE_STORE", url.as_str()), ("AISLE_REDIS_SHARDS", "3")];
    let mut service = Service::in_folder(Backend::Sqlite, &settings).await;
    let refused = service.run(&["api"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("certificate"), "{said}");

    service.set("SSL_CERT_FILE", &cert);
    service.begin(Processes::Apart).await;
    let post = service.client.post(service.url("/v1/jobs")).header("content-type", "image/jpeg");
    let answer =
        post.body(picture(Colour::ALL[0], 64, 64, ImageFormat::Jpeg)).send().await.unwrap();
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
    let job: Value = answer.json().await.unwrap();
    let job = service.ended(job["id"].as_str().unwrap()).await;
    assert_eq!(job["status"], "succeeded", "{job}");
    let clients: String = redis::cmd("CLIENT")
        .arg("LIST")
        .query_async(&mut server.connect().await.unwrap())
        .await
        .unwrap();
    assert!(clients.contains(&format!("laddr=127.0.0.1:{port}")), "{clients}");
}

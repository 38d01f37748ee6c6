//! URLs that lead inside, in jobs that a running worker takes.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::TcpListener;

use aisle_tests::harness::Backend;
use aisle_tests::image_host::ImageHost;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::places::files_below;
use aisle_tests::service::{Processes, Service};
use image::ImageFormat;
use serde_json::{Value, json};

async fn ended(service: &Service, urls: &[&str]) -> Value {
    let images: Vec<_> = urls.iter().map(|url| json!({ "url": url })).collect();
    let request = service.client.post(service.url("/v1/jobs")).json(&json!({ "images": images }));
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 202);
    let job: Value = answer.json().await.expect("a job");
    service.ended(job["id"].as_str().expect("an id")).await
}

/// A proxy would resolve names by itself, behind the policy's back.
#[tokio::test]
async fn a_proxy_named_in_the_environment_is_not_asked() {
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let address = format!("http://{}", proxy.local_addr().expect("an address"));
    let names =
        ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let mut settings: Vec<_> = names.iter().map(|name| (*name, address.as_str())).collect();
    settings.push(("AISLE_DANGER_ALLOW_PRIVATE_NETWORKS", "true"));
    let service = Service::tiny(Backend::Sqlite, Processes::One, &settings).await;

    let red = picture(Colour::Red, 32, 32, ImageFormat::Png);
    let host = ImageHost::serve(HashMap::from([("/red.png", red)])).await;
    let job = ended(&service, &[&host.url("/red.png")]).await;
    assert_eq!(job["status"], "succeeded", "{job}");
    proxy.set_nonblocking(true).expect("a listener");
    let asked = proxy.accept().expect_err("nobody to have asked the proxy");
    assert_eq!(asked.kind(), ErrorKind::WouldBlock);
}

/// ONNX Runtime's official builds do by default: they keep a device id in the
/// home folder and send what they run.
#[tokio::test]
async fn nothing_is_reported_to_the_makers_of_onnx_runtime() {
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().to_str().expect("a path");
    let settings = [("HOME", path), ("XDG_CACHE_HOME", path), ("ORT_DISABLE_TELEMETRY", "")];
    for processes in [Processes::One, Processes::Apart] {
        let mut service = Service::tiny(Backend::Sqlite, processes, &settings).await;
        let worker = if processes == Processes::One { "serve" } else { "worker" };
        let environment = std::fs::read(format!("/proc/{}/environ", service.process(worker)));
        let environment = environment.expect("a process's environment");
        let mut variables = environment.split(|byte| *byte == 0);
        assert!(variables.any(|variable| variable == b"ORT_DISABLE_TELEMETRY=1"), "{worker}");
        service.stop(worker).await;
    }
    assert_eq!(files_below(home.path()), [] as [std::path::PathBuf; 0]);
}

/// More images of such a host than a worker takes in hand at once.
#[tokio::test]
async fn a_host_that_never_answers_holds_up_no_other() {
    let settings = [("AISLE_DANGER_ALLOW_PRIVATE_NETWORKS", "true")];
    let service = Service::tiny(Backend::Sqlite, Processes::One, &settings).await;
    // Nobody accepts: the system connects and nothing is ever said.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let address = silent.local_addr().expect("an address");
    let images: Vec<_> =
        (0..600).map(|number| json!({"url": format!("http://{address}/{number}")})).collect();
    let request = service.client.post(service.url("/v1/jobs")).json(&json!({ "images": images }));
    assert_eq!(request.send().await.expect("an answer").status(), 202);

    let red = picture(Colour::Red, 32, 32, ImageFormat::Png);
    let host = ImageHost::serve(HashMap::from([("/red.png", red)])).await;
    let job = ended(&service, &[&host.url("/red.png")]).await;
    assert_eq!(job["status"], "succeeded", "{job}");
}

#[tokio::test]
async fn every_url_that_leads_inside_fails_alone() {
    let service = Service::tiny(Backend::Sqlite, Processes::One, &[]).await;
    let inside = [
        "http://127.0.0.1:8080/",
        "http://0x7f.1/",
        "http://localhost/",
        "http://metadata.google.internal/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://@shop.example.com/",
        "http://shop.example.com\\@127.0.0.1/",
        "http://shop.example.com:22/",
        "gopher://127.0.0.1/",
        "file:///etc/passwd",
    ];
    let job = ended(&service, &inside).await;
    assert_eq!(job["items"]["failed"], inside.len(), "{job}");
    for (url, result) in inside.iter().zip(job["results"].as_array().expect("results")) {
        assert_eq!(result["error"]["code"], "url_not_allowed", "{url}: {result}");
    }
}

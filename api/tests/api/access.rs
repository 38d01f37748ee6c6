//! Who may call, and what.

use std::net::TcpListener;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, init_service};
use aisle_api::{Context, Listeners};
use aisle_shared::domain::{KeyText, Scope, Timestamp};
use aisle_shared::store::Keys as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::rig::{Answer, Rig, get, send};

const ALL: [Scope; 5] = Scope::ALL;

fn with_key(key: &str, method: Method, uri: &str) -> TestRequest {
    let request = TestRequest::with_uri(uri).method(method);
    request.insert_header(("authorization", format!("Bearer {key}")))
}

fn get_with(key: &str, uri: &str) -> TestRequest {
    with_key(key, Method::GET, uri)
}

fn says(answer: &Answer) -> String {
    let problem = answer.problem();
    format!("{} {}", problem.0, problem.1)
}

#[actix_web::test]
async fn a_request_without_a_key_is_told_how_to_bring_one() {
    let rig = Rig::with_keys().await;
    let app = rig.app().await;
    let answer = get(&app, "/v1/jobs").await;
    assert_eq!(says(&answer), "401 unauthenticated");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}

#[actix_web::test]
async fn a_key_opens_as_bearer_and_in_a_header_of_its_own() {
    let rig = Rig::with_keys().await;
    let app = rig.app().await;
    let key = rig.key("shop", &ALL).await;
    assert_eq!(send(&app, get_with(&key, "/v1/jobs")).await.status, StatusCode::OK);
    let own = TestRequest::get().uri("/v1/jobs").insert_header(("x-api-key", key));
    assert_eq!(send(&app, own).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_key_that_does_not_work_is_refused() {
    let rig = Rig::with_keys().await;
    let app = rig.app().await;
    let revoked = rig.key("shop", &ALL).await;
    let id = revoked.parse::<KeyText>().unwrap().id().clone();
    rig.store.revoke_key(&id).await.unwrap();
    let expired = rig.key_for("shop", &ALL, 1, Some(Duration::ZERO)).await;
    let known = rig.key("shop", &ALL).await;
    let stranger = KeyText::generate().reveal();
    let secret = stranger.rsplit('_').next().unwrap();
    let forged = format!("{}_{secret}", known.rsplit_once('_').unwrap().0);
    for key in [&revoked, &expired, &stranger, &forged, "nonsense"] {
        let answer = send(&app, get_with(key, "/v1/jobs")).await;
        assert_eq!(says(&answer), "401 invalid_api_key", "{key}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
        assert!(!String::from_utf8_lossy(&answer.body).contains(key), "the key was repeated");
    }
}

#[actix_web::test]
async fn each_operation_asks_for_the_scope_that_stands_with_it() {
    let rig = Rig::with_keys().await;
    let app = rig.app().await;
    let mut seen = 0;
    for (method, uri, security) in operations(&rig).await {
        let bare = || TestRequest::with_uri(&uri).method(method.clone());
        let Some(scope) = scope(&security) else {
            assert_eq!(security, serde_json::json!([{}]), "{method} {uri}");
            assert!(send(&app, bare()).await.status.is_success(), "{method} {uri}");
            continue;
        };
        seen += 1;
        assert_eq!(says(&send(&app, bare()).await), "401 unauthenticated", "{method} {uri}");
        let others: Vec<_> = ALL.into_iter().filter(|other| *other != scope).collect();
        let (without, only) = (rig.key("a", &others).await, rig.key("a", &[scope]).await);
        let refused = send(&app, with_key(&without, method.clone(), &uri)).await;
        assert_eq!(says(&refused), "403 insufficient_scope", "{method} {uri}");
        let challenge = refused.header("www-authenticate").unwrap();
        assert!(challenge.contains(&format!("scope=\"{}\"", scope.as_str())), "{challenge}");
        let status = send(&app, with_key(&only, method.clone(), &uri)).await.status;
        let barred = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
        assert!(!barred.contains(&status), "{method} {uri}: {status}");
    }
    assert!(seen >= 8, "only {seen} operations need a key");
}

#[actix_web::test]
async fn an_escaped_address_is_guarded_like_the_plain_one() {
    let rig = Rig::with_keys().await;
    let app = rig.app().await;
    for uri in ["/v1/%6aobs", "/v1%2Fjobs", "/m%65trics", "//v1/jobs", "/v1/jobs/", "/v1/./jobs"] {
        let status = send(&app, TestRequest::get().uri(uri)).await.status;
        assert!(status.is_client_error(), "{uri}: {status}");
    }
    assert_eq!(says(&get(&app, "/m%65trics").await), "401 unauthenticated");
}

/// Every operation of the document: its method, an address and what it needs.
async fn operations(rig: &Rig) -> Vec<(Method, String, Value)> {
    let document = get(&rig.app().await, "/openapi.json").await.json();
    let mut all = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let uri = path.replace("{id}", "019a3c5e-7b1f-7c3a-9d52-1f0e6a8b4c2d");
        for (method, operation) in operations.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            all.push((method, uri.clone(), operation["security"].clone()));
        }
    }
    all
}

/// The scope that stands in an operation's security.
fn scope(security: &Value) -> Option<Scope> {
    security[0]["api_key"][0].as_str().and_then(Scope::from_word)
}

/// Every operation for which a key would be asked.
async fn guarded(rig: &Rig) -> Vec<(Method, String)> {
    let all = operations(rig).await.into_iter();
    let guarded = all.filter(|(.., security)| security[0]["api_key"].is_array());
    let guarded: Vec<_> = guarded.map(|(method, uri, _)| (method, uri)).collect();
    assert!(guarded.len() >= 8, "only {} operations need a key", guarded.len());
    guarded
}

#[actix_web::test]
async fn without_keys_a_name_that_was_led_here_opens_nothing() {
    let rig = Rig::with(|settings| settings.allowed_hosts = "shop.example".parse().unwrap()).await;
    let app = rig.app().await;
    for (method, uri) in guarded(&rig).await {
        let called = |host: &'static str| {
            TestRequest::with_uri(&uri).method(method.clone()).insert_header(("host", host))
        };
        let refused = send(&app, called("rebind.example:8080")).await;
        assert_eq!(says(&refused), "421 host_not_allowed", "{method} {uri}");
        for host in ["127.0.0.1:8080", "localhost:8080", "shop.example"] {
            let status = send(&app, called(host)).await.status;
            assert_ne!(status, StatusCode::MISDIRECTED_REQUEST, "{method} {uri}");
        }
    }
    let health = TestRequest::get().uri("/health/live").insert_header(("host", "any.example"));
    assert_eq!(send(&app, health).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn without_keys_a_page_of_another_site_changes_nothing() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    for (method, uri) in guarded(&rig).await {
        let sent = |site: &'static str| {
            let request = TestRequest::with_uri(&uri).method(method.clone());
            request
                .insert_header(("host", "localhost:8080"))
                .insert_header(("sec-fetch-site", site))
        };
        let (other, own) = (send(&app, sent("cross-site")).await, send(&app, sent("none")).await);
        assert_ne!(own.status, StatusCode::FORBIDDEN, "{method} {uri}");
        if method == Method::GET {
            assert_eq!(other.status, own.status, "{uri}");
        } else {
            assert_eq!(says(&other), "403 cross_site_request", "{method} {uri}");
        }
    }
}

#[actix_web::test]
async fn a_key_opens_under_any_name_and_from_any_site() {
    let rig = Rig::with_keys().await;
    let app = rig.app().await;
    let key = rig.key("shop", &ALL).await;
    let request = with_key(&key, Method::POST, "/v1/jobs")
        .insert_header(("host", "any.example"))
        .insert_header(("origin", "https://shop.example"));
    assert_eq!(says(&send(&app, request).await), "415 unsupported_media_type");
}

#[actix_web::test]
async fn health_and_the_document_are_open_to_all() {
    let rig = Rig::with_keys().await;
    let app = rig.app().await;
    for uri in ["/health/live", "/health/ready", "/openapi.json", "/docs/"] {
        assert_eq!(get(&app, uri).await.status, StatusCode::OK, "{uri}");
    }
    assert_eq!(says(&get(&app, "/nothing").await), "404 route_not_found");
    let answer = send(&app, TestRequest::put().uri("/v1/jobs")).await;
    assert_eq!(says(&answer), "405 method_not_allowed");
}

#[actix_web::test]
async fn many_wrong_keys_make_a_peer_wait_but_not_those_beside_it_with_right_ones() {
    let rig = Rig::with_keys().await;
    let app = rig.app().await;
    let (known, fresh) = (rig.key("shop", &ALL).await, rig.key("shop", &ALL).await);
    let from = |peer: &str, key: &str| {
        get_with(key, "/v1/jobs").peer_addr(format!("{peer}:4711").parse().unwrap())
    };
    assert_eq!(send(&app, from("192.0.2.1", &known)).await.status, StatusCode::OK);
    for _ in 0..10 {
        let wrong = send(&app, from("192.0.2.1", &KeyText::generate().reveal())).await;
        assert_eq!(says(&wrong), "401 invalid_api_key");
    }
    for key in [KeyText::generate().reveal(), "nonsense".to_owned(), fresh.clone()] {
        let answer = send(&app, from("192.0.2.1", &key)).await;
        assert_eq!(says(&answer), "429 too_many_wrong_keys");
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
    }
    assert_eq!(send(&app, from("192.0.2.1", &known)).await.status, StatusCode::OK);
    assert_eq!(send(&app, from("192.0.2.2", &fresh)).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_tenants_share_is_that_of_its_key() {
    let rig = Rig::with_keys().await;
    let app = rig.app().await;
    let heavy = rig.key_for("heavy", &ALL, 3, None).await;
    let light = rig.key_for("light", &ALL, 1, None).await;
    let body = serde_json::json!({"images": vec![
        serde_json::json!({"url": "https://shop.example.com/a.jpg"}); 8
    ]});
    let mut jobs = Vec::new();
    for key in [&heavy, &light] {
        let answer = send(&app, with_key(key, Method::POST, "/v1/jobs").set_json(&body)).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        jobs.push(answer.json()["id"].as_str().unwrap().to_owned());
    }
    let claimed = rig.claim(8).await;
    let of = |job: &String| {
        claimed.iter().filter(|held| held.lease.item.job.to_string() == *job).count()
    };
    assert_eq!((of(&jobs[0]), of(&jobs[1])), (6, 2));
}

#[actix_web::test]
async fn the_day_of_a_keys_last_use_is_noted() {
    let rig = Rig::with_keys().await;
    let app = rig.app().await;
    let key = rig.key("shop", &ALL).await;
    let id = key.parse::<KeyText>().unwrap().id().clone();
    send(&app, get_with(&key, "/v1/jobs")).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let kept = rig.store.key(&id).await.unwrap().unwrap();
        if let Some(day) = kept.last_used_on {
            assert_eq!(day, Timestamp::now().day());
            return;
        }
        assert!(Instant::now() < deadline, "it was not noted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_a_key_is_refused_before_its_body_is_read() {
    let rig = Rig::with_keys().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(aisle_api::serve(listener, rig.state.clone(), rig.shutdown.clone()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\n\
                Content-Length: 1000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    let read = timeout(Duration::from_secs(10), stream.read_exact(&mut answer)).await;
    read.expect("an answer without a body").unwrap();
    assert_eq!(answer, b"HTTP/1.1 401");
    drop(stream);
    rig.shutdown.cancel();
    server.await.unwrap().unwrap();
}

#[actix_web::test]
async fn metrics_can_be_kept_for_administrators() {
    let mut rig = Rig::new().await;
    rig.state.settings.metrics = false;
    let app = rig.app().await;
    assert_eq!(says(&get(&app, "/metrics").await), "404 route_not_found");
    assert_eq!(get(&app, "/openapi.json").await.json()["paths"]["/metrics"], Value::Null);

    let context = Context::new(rig.state.clone(), rig.shutdown.clone());
    let admin = init_service(aisle_api::admin_app(context)).await;
    for uri in ["/metrics", "/health/live", "/health/ready"] {
        assert_eq!(get(&admin, uri).await.status, StatusCode::OK, "{uri}");
    }
    assert_eq!(says(&get(&admin, "/v1/jobs").await), "404 route_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_have_a_listener_of_their_own() {
    let rig = Rig::with_keys().await;
    let callers = TcpListener::bind("127.0.0.1:0").unwrap();
    let administrators = TcpListener::bind("127.0.0.1:0").unwrap();
    let places = [callers.local_addr().unwrap(), administrators.local_addr().unwrap()];
    let listeners = Listeners { callers, administrators: Some(administrators) };
    let server = tokio::spawn(aisle_api::serve(listeners, rig.state.clone(), rig.shutdown.clone()));
    for (place, expected) in places.into_iter().zip(["HTTP/1.1 401 ", "HTTP/1.1 200 "]) {
        let mut stream = TcpStream::connect(place).await.unwrap();
        let request = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(Duration::from_secs(10), stream.read_to_string(&mut answer))
            .await
            .unwrap()
            .unwrap();
        assert!(answer.starts_with(expected), "{answer}");
        let names = answer.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name);
        let mut names = names.map(str::to_ascii_lowercase);
        assert!(!names.any(|name| name == "server" || name == "x-powered-by"), "{answer}");
    }
    rig.shutdown.cancel();
    timeout(Duration::from_secs(10), server).await.expect("both stop").unwrap().unwrap();
}

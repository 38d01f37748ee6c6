//! Webhook endpoints, their secrets, and the log of deliveries.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use aisle_shared::domain::{EndpointId, TenantId};
use aisle_shared::store::{MAX_ENDPOINTS, StoreError, Webhooks as _};
use aisle_shared::webhook::{Secret, Vault};
use serde_json::{Value, json};

use crate::rig::{Rig, classified, form, get, png, send};

const ENDPOINTS: &str = "/v1/webhook-endpoints";

fn request(method: Method, uri: &str, body: Value) -> TestRequest {
    TestRequest::default().method(method).uri(uri).set_json(body)
}

fn post(uri: &str, body: Value) -> TestRequest {
    request(Method::POST, uri, body)
}

fn shop(path: &str) -> Value {
    json!({"url": format!("https://shop.example.com{path}")})
}

#[actix_web::test]
async fn a_secret_is_shown_once_and_stored_sealed() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let created = send(&app, post(ENDPOINTS, shop("/hooks"))).await;
    assert_eq!(created.status, 201, "{created:?}");
    let endpoint = created.json();
    let secret = Secret::parse(endpoint["secret"].as_str().unwrap()).unwrap();
    let path = created.header("location").unwrap();
    assert_eq!(path, format!("{ENDPOINTS}/{}", endpoint["id"].as_str().unwrap()));

    let read = get(&app, path).await.json();
    assert_eq!(read["url"], "https://shop.example.com/hooks");
    assert!(read.get("secret").is_none() && read["disabled"].is_null());
    assert_eq!(get(&app, ENDPOINTS).await.json()["data"], json!([read]));

    let id: EndpointId = endpoint["id"].as_str().unwrap().parse().unwrap();
    let tenant = TenantId::default_tenant();
    let stored = rig.store.endpoint(&tenant, &id).await.unwrap();
    let vault: &Vault = rig.state.vault.as_deref().unwrap();
    assert_eq!(vault.open(&tenant, &id, &stored.secrets[0].sealed), Ok(secret));
}

#[actix_web::test]
async fn an_endpoint_is_changed_part_by_part_and_deleted() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let created = send(&app, post(ENDPOINTS, shop("/hooks"))).await;
    let path = created.header("location").unwrap();
    let change = |body| request(Method::PATCH, path, body);

    let body = json!({"events": ["job.failed", "job.failed", "job.partial"], "description": "x"});
    let changed = send(&app, change(body)).await.json();
    assert_eq!(changed["events"], json!(["job.partial", "job.failed"]));
    assert_eq!(changed["url"], "https://shop.example.com/hooks");
    let disabled = send(&app, change(json!({"enabled": false}))).await.json();
    assert_eq!(disabled["disabled"]["because"], "requested");
    let enabled = send(&app, change(json!({"enabled": true}))).await.json();
    assert_eq!((&enabled["disabled"], &enabled["description"]), (&Value::Null, &json!("x")));

    let deleted = send(&app, TestRequest::delete().uri(path)).await;
    assert_eq!(deleted.status, 204);
    for gone in [get(&app, path).await, send(&app, change(json!({}))).await] {
        assert_eq!(gone.problem(), (404, "endpoint_not_found".to_owned()));
    }
}

#[actix_web::test]
async fn what_is_wrong_with_an_endpoint_is_pointed_at() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let long = "x".repeat(501);
    for (body, status, code, place) in [
        (json!({}), 400, "invalid_request", "url"),
        (json!({"url": "http://shop.example.com/"}), 422, "url_not_allowed", "#/url"),
        (json!({"url": "https://10.0.0.1/"}), 422, "url_not_allowed", "#/url"),
        (json!({"url": "https://a.example", "events": ["x"]}), 400, "invalid_request", "events"),
        (json!({"url": "https://a.example", "secret": "x"}), 400, "invalid_request", "secret"),
        (
            json!({"url": "https://a.example", "description": long}),
            400,
            "invalid_request",
            "#/description",
        ),
    ] {
        let answer = send(&app, post(ENDPOINTS, body)).await;
        assert_eq!(answer.problem(), (status, code.to_owned()), "{answer:?}");
        assert!(answer.json()["errors"].to_string().contains(place), "{answer:?}");
    }
    let nothing = send(&app, TestRequest::post().uri(ENDPOINTS)).await;
    assert_eq!(nothing.problem(), (400, "invalid_request".to_owned()));
    let overlap = json!({"overlap_seconds": 604_801});
    let answer = send(&app, post(&format!("{ENDPOINTS}/callbacks/rotate-secret"), overlap)).await;
    assert_eq!(answer.problem(), (400, "invalid_request".to_owned()));
    let form = TestRequest::post().uri(ENDPOINTS).set_form([("url", "https://a.example")]);
    assert_eq!(send(&app, form).await.problem().0, 415);
}

#[actix_web::test]
async fn a_change_through_the_api_overtakes_one_made_from_before_it() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let created = send(&app, post(ENDPOINTS, shop("/"))).await.json();
    let id: EndpointId = created["id"].as_str().unwrap().parse().unwrap();
    let mut stale = rig.store.endpoint(&TenantId::default_tenant(), &id).await.unwrap();
    let path = format!("{ENDPOINTS}/{id}");
    assert_eq!(send(&app, request(Method::PATCH, &path, json!({}))).await.status, 200);
    stale.version += 1;
    stale.description = "made from what was there before".to_owned();
    let refused = rig.store.put_endpoint(&stale).await;
    assert!(matches!(refused, Err(StoreError::Stale)), "{refused:?}");
}

#[actix_web::test]
async fn there_is_a_limit_to_endpoints_and_it_has_a_code() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    for _ in 0..MAX_ENDPOINTS {
        assert_eq!(send(&app, post(ENDPOINTS, shop("/"))).await.status, 201);
    }
    let refused = send(&app, post(ENDPOINTS, shop("/"))).await;
    assert_eq!(refused.problem(), (409, "too_many_endpoints".to_owned()));
}

#[actix_web::test]
async fn the_secret_of_callbacks_is_had_by_rotation_before_or_after_their_first_use() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let path = format!("{ENDPOINTS}/callbacks");
    assert_eq!(get(&app, &path).await.problem(), (404, "endpoint_not_found".to_owned()));
    let rotate = || TestRequest::post().uri("/v1/webhook-endpoints/callbacks/rotate-secret");
    let first = send(&app, rotate()).await.json();
    assert!(Secret::parse(first["secret"].as_str().unwrap()).is_ok(), "{first}");
    assert!(first["previous_secret_expires_at"].is_null());
    let second = send(&app, rotate()).await.json();
    assert!(second["previous_secret_expires_at"].is_string(), "{second}");
    assert_ne!(first["secret"], second["secret"]);

    let url = request(Method::PATCH, &path, shop("/"));
    assert_eq!(send(&app, url).await.problem(), (400, "invalid_request".to_owned()));
    assert_eq!(send(&app, TestRequest::delete().uri(&path)).await.status, 204);
    let (png, receiver) = (png(), "https://shop.example.com/x");
    let parts =
        [("image", Some("a.png"), png.as_slice()), ("webhook_url", None, receiver.as_bytes())];
    let job = send(&app, form(&parts)).await.json();
    assert_eq!(job["webhook"], json!({ "url": receiver }));
    assert_eq!(get(&app, &path).await.status, 200);
}

#[actix_web::test]
async fn a_delivery_is_listed_read_and_replayed() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let png = png();
    let parts = [
        ("image", Some("a.png"), png.as_slice()),
        ("webhook_url", None, b"https://shop.example.com/"),
    ];
    let job = send(&app, form(&parts)).await.json();
    let job = job["id"].as_str().unwrap();
    rig.work(classified).await;

    let listed =
        get(&app, &format!("/v1/webhook-deliveries?job={job}&status=pending")).await.json();
    let delivery = &listed["data"][0];
    assert_eq!((&delivery["job"], &delivery["endpoint"]), (&json!(job), &json!("callbacks")));
    assert_eq!(delivery["event"], "job.succeeded");
    assert_eq!(delivery["attempts"], json!([]));
    let path = format!("/v1/webhook-deliveries/{}", delivery["id"].as_str().unwrap());
    assert_eq!(get(&app, &path).await.json(), *delivery);
    let replayed = send(&app, TestRequest::post().uri(&format!("{path}/replay"))).await;
    assert_eq!((replayed.status.as_u16(), &replayed.json()["id"]), (202, &delivery["id"]));

    let none = get(&app, "/v1/webhook-deliveries?status=failed").await.json();
    assert_eq!((&none["data"], &none["next_cursor"]), (&json!([]), &Value::Null));
    for query in ["limit=0", "limit=101", "status=x", "job=x", "endpoint=a-b", "endpint=x"] {
        let answer = get(&app, &format!("/v1/webhook-deliveries?{query}")).await;
        assert_eq!(answer.problem(), (400, "invalid_query".to_owned()), "{query}");
    }
    let cursor = get(&app, "/v1/webhook-deliveries?cursor=x").await;
    assert_eq!(cursor.problem(), (400, "invalid_cursor".to_owned()));
    for unknown in ["x", "callbacks", &format!("{job}.ep_1")] {
        let answer = get(&app, &format!("/v1/webhook-deliveries/{unknown}")).await;
        assert_eq!(answer.problem(), (404, "delivery_not_found".to_owned()), "{unknown}");
    }
}

#[actix_web::test]
async fn without_a_key_nothing_is_signed_and_so_nothing_promised() {
    let mut rig = Rig::new().await;
    rig.state.vault = None;
    let app = rig.app().await;
    let png = png();
    let parts =
        [("image", Some("a.png"), png.as_slice()), ("webhook_url", None, b"https://a.example/")];
    for request in [form(&parts), post(ENDPOINTS, shop("/"))] {
        let refused = send(&app, request).await;
        assert_eq!(refused.problem(), (501, "webhooks_not_configured".to_owned()));
    }
    assert_eq!(rig.claim(1).await, []);
}

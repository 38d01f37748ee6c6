//! The operator's files say what is true: every metric that they name is one
//! of the service's, and every alert has its place in the runbook.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use aisle_shared::telemetry::names;
use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::places::{python, repository};
use aisle_tests::service::{Processes, Service};
use aisle_tests::wait;
use image::ImageFormat;
use serde_json::Value;

const ALERTS: &str = "prometheus-alerts.yml";

fn text(name: &str) -> String {
    fs::read_to_string(repository().join("deploy").join(name)).unwrap()
}

fn yaml(name: &str) -> Value {
    let read = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let file = repository().join("deploy").join(name);
    let run = Command::new(python()).args(["-c", read]).arg(file).output().expect("Python runs");
    assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stderr));
    serde_json::from_slice(&run.stdout).expect("JSON")
}

/// Every text under one of these keys, however deep.
fn texts_under<'v>(value: &'v Value, key: &str, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if name == key => found.push(text),
                    _ => texts_under(value, key, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| texts_under(value, key, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn known() -> BTreeSet<&'static str> {
    names::all().map(|metric| metric.name).collect()
}

/// The metrics that an expression names.
fn metrics(expression: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expression.split(|c| !is_part(c));
    words.filter(|word| word.starts_with("aisle_")).map(base).collect()
}

/// A histogram's name without the end of its series.
fn base(series: &str) -> String {
    let known = known();
    let ends = ["_bucket", "_sum", "_count"];
    let cut = ends.iter().filter_map(|end| series.strip_suffix(end));
    cut.into_iter().find(|name| known.contains(*name)).unwrap_or(series).to_owned()
}

/// Every expression of the operator's files, with its file's name.
fn expressions() -> Vec<(&'static str, String)> {
    let dashboard: Value = serde_json::from_str(&text("grafana-dashboard.json")).unwrap();
    let files = [
        (ALERTS, yaml(ALERTS), "expr"),
        ("keda-scaledobject.yaml", yaml("keda-scaledobject.yaml"), "query"),
        ("grafana-dashboard.json", dashboard, "expr"),
    ];
    let mut all = Vec::new();
    for (name, value, key) in &files {
        let mut found = Vec::new();
        texts_under(value, key, &mut found);
        assert!(!found.is_empty(), "{name} has no {key}");
        all.extend(found.into_iter().map(|text| (*name, text.to_owned())));
    }
    all
}

#[test]
fn every_metric_that_an_operator_is_told_of_exists() {
    let known = known();
    for (file, expression) in expressions() {
        let named = metrics(&expression);
        assert!(!named.is_empty(), "{file}: {expression} names no metric");
        for name in named {
            assert!(known.contains(&*name), "{file} names {name}, which nobody reports");
        }
    }
}

#[test]
fn the_table_of_metrics_is_what_the_code_says() {
    let rows = names::all()
        .map(|metric| format!("| `{}` | {} | {} |\n", metric.name, metric.kind(), metric.help));
    let rows: String = rows.collect();
    let found = text("METRICS.md").contains(&format!("|---|---|---|\n{rows}"));
    assert!(found, "deploy/METRICS.md is to have this table:\n{rows}");
}

#[test]
fn every_alert_has_its_place_in_the_runbook() {
    let runbook = text("RUNBOOK.md");
    let headings: Vec<&str> =
        runbook.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let alerts = yaml(ALERTS);
    for rule in alerts["groups"][0]["rules"].as_array().unwrap() {
        let name = rule["alert"].as_str().unwrap();
        assert!(headings.contains(&name), "the runbook does not speak of {name}");
        let link = format!("RUNBOOK.md#{}", name.to_lowercase());
        assert_eq!(rule["annotations"]["runbook"], *link, "{name}");
    }
}

#[test]
fn the_runbook_leads_nowhere_in_vain() {
    let runbook = text("RUNBOOK.md");
    let anchor = |heading: &str| heading.to_lowercase().replace(' ', "-");
    let anchors: BTreeSet<String> = runbook
        .lines()
        .filter_map(|line| {
            line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))
        })
        .map(anchor)
        .collect();
    for link in runbook.split("](").skip(1) {
        let target = link.split(')').next().unwrap();
        match target.strip_prefix('#') {
            Some(place) => assert!(anchors.contains(place), "there is no heading for #{place}"),
            None => assert!(repository().join("deploy").join(target).exists(), "{target}"),
        }
    }
}

#[test]
fn the_example_of_a_collector_takes_what_the_service_sends() {
    let collector = yaml("otel-collector.yml");
    let endpoint = collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"].as_str();
    assert!(endpoint.unwrap().ends_with(":4318"), "OTLP over HTTP has port 4318");
    assert_eq!(collector["service"]["pipelines"]["traces"]["receivers"][0], "otlp");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_alerts_watch_is_shown_by_a_service_that_works() {
    let service = Service::tiny(Backend::Sqlite, Processes::One, &[]).await;
    let answer = service
        .client
        .post(service.url("/v1/jobs"))
        .header("content-type", "image/jpeg")
        .header("prefer", "wait=30")
        .body(picture(Colour::Red, 64, 64, ImageFormat::Jpeg));
    assert_eq!(answer.send().await.unwrap().status(), 200);
    // These count what has not happened here, and are shown once it has.
    let absent = [
        "aisle_leases_expired_total",
        "aisle_dead_letter_total",
        "aisle_decoders_replaced_total",
        "aisle_refusals_total",
        "aisle_trace_export_errors_total",
        "aisle_refusals_total",
        "aisle_webhook_attempts_total",
    ];
    let watched: BTreeSet<String> = expressions()
        .iter()
        .filter(|(file, _)| *file == ALERTS)
        .flat_map(|(_, expression)| metrics(expression))
        .filter(|name| !absent.contains(&name.as_str()))
        .collect();
    wait::until("every metric", || async {
        let shown = service.client.get(service.url("/metrics")).send().await.ok()?;
        let shown = shown.text().await.ok()?;
        let is_shown = |name: &String| shown.lines().any(|line| line.starts_with(&**name));
        watched.iter().all(is_shown).then_some(())
    })
    .await;
}

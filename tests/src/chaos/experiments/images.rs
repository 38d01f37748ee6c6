//! Hosts and images that mean harm, among those that do not.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use image::ImageFormat;
use serde_json::json;

use super::super::fleet::Plan;
use super::super::ledger::Expected;
use super::super::load::{Body, Habits, Order, Orders, pictures};
use super::super::report::{Report, percentile};
use super::super::rough_hosts::RoughHosts;
use super::super::scene::{Scale, Scene};
use super::super::settle::Ended;
use crate::harness::Backend;
use crate::image_host::ImageHost;
use crate::pictures::{Colour, picture};

/// What an image of a host that does not give it ends with.
const NOT_TO_BE_HAD: &[&str] = &["url_unreachable", "url_refused", "too_large", "unsupported_type"];

/// What an image that is none ends with.
const NOT_AN_IMAGE: &[&str] = &[
    "empty_image",
    "unsupported_type",
    "truncated",
    "undecodable",
    "too_large",
    "too_many_pixels",
    "decode_timeout",
    "decode_crashed",
    "decode_memory",
];

/// Four of five images are at hosts that hang, drip, flood or send round in
/// circles: those of the healthy host keep their pace.
pub(super) async fn hanging_hosts(store: Backend, scale: Scale) -> Report {
    let plan = Plan::of(1, 2)
        .with("AISLE_DANGER_ALLOW_PRIVATE_NETWORKS", "true")
        .with("AISLE_MAX_ATTEMPTS", "1");
    let mut scene = Scene::set("hanging-hosts", store, plan).await;
    let made = Colour::ALL.map(|colour| picture(colour, 200, 200, ImageFormat::Jpeg));
    let paths = ["/red.jpg", "/green.jpg", "/blue.jpg"];
    let host = ImageHost::serve(HashMap::from_iter(paths.into_iter().zip(made))).await;
    let rough = RoughHosts::start().await;
    let good: Vec<String> = paths.iter().map(|path| host.url(path)).collect();
    let bad = rough.urls();

    let healthy = of_hosts(good.clone(), Vec::new());
    let time = scale.pick(Duration::from_secs(4), Duration::from_secs(60));
    let pace = Habits { clients: 1, every: Duration::from_millis(250), fail_over: false };
    let load = scene.load(&healthy, pace);
    tokio::time::sleep(time).await;
    load.stop().await;
    let alone = scene.settle(Duration::from_secs(30)).await;

    // The same pace for the healthy ones, and four times as many of the others.
    let mixed = of_hosts(good, bad);
    let pace = Habits { clients: 5, ..pace };
    let load = scene.load(&mixed, pace);
    tokio::time::sleep(time).await;
    load.stop().await;
    let ended = scene.settle(scale.pick(Duration::from_secs(60), Duration::from_secs(180))).await;
    let among: Vec<Ended> =
        ended.iter().filter(|one| one.promise.at > last(&alone)).cloned().collect();
    let is_healthy = |one: &Ended| matches!(one.promise.images[0], Expected::Label(_));
    let (before, after) = (seconds(&alone, |_| true), seconds(&among, is_healthy));
    let (p95_before, p95_after) = (percentile(&before, 0.95), percentile(&after, 0.95));
    let bad = seconds(&among, |one| !is_healthy(one));
    scene.report.figure("healthy p95 alone s", p95_before);
    scene.report.figure("healthy p95 among hanging ones s", p95_after);
    scene.report.figure("bad p95 s", percentile(&bad, 0.95));
    scene.report.limit(!bad.is_empty() && !after.is_empty(), "not both kinds were there");
    // A few milliseconds on a busy machine vary more than by half.
    let allowed = (1.5 * p95_before).max(p95_before + 0.5);
    let slow = format!("healthy images took {p95_after:.2} s, allowed are {allowed:.2} s");
    scene.report.limit(p95_after <= allowed, slow);
    scene.report.recovery = bad;
    scene.report.recovers_within(scale.pick(15.0, 60.0));
    scene.done()
}

fn last(ended: &[Ended]) -> aisle_shared::domain::Timestamp {
    let times = ended.iter().map(|one| one.promise.at);
    times.max().unwrap_or(aisle_shared::domain::Timestamp(0))
}

fn seconds(ended: &[Ended], which: impl Fn(&Ended) -> bool) -> Vec<f64> {
    let time = |one: &Ended| one.at.since(one.promise.sent).as_secs_f64();
    ended.iter().filter(|one| which(one)).map(time).collect()
}

/// Jobs of one URL each: every fifth is healthy, or all are where none is bad.
fn of_hosts(good: Vec<String>, bad: Vec<String>) -> Orders {
    Arc::new(move |number| {
        let (url, expected) = if bad.is_empty() || number % 5 == 0 {
            (&good[number % 3], Expected::Label(Colour::ALL[number % 3]))
        } else {
            (&bad[number % bad.len()], Expected::Error(NOT_TO_BE_HAD))
        };
        let body = Body::Json(json!({"images": [{"url": url}]}));
        Order { body, expected: vec![expected] }
    })
}

/// One image in sixteen is none: it ends with a code of its own, and no
/// worker goes down with it.
pub(super) async fn poison(store: Backend, scale: Scale) -> Report {
    let mut scene = Scene::set("poison-images", store, Plan::of(1, 2)).await;
    let orders = with_poison();
    let busy = Habits { clients: 3, every: Duration::from_millis(100), fail_over: false };
    let load = scene.load(&orders, busy);
    scene.acknowledged(scale.pick(20, 1_000)).await;
    load.stop().await;
    scene.settle(Duration::from_secs(120)).await;
    let taken = scene.fleet.logged("an item was taken back");
    scene.report.limit(taken == 0, format!("{taken} items were taken back"));
    scene.done()
}

/// Fifteen good images and a bad one, which stands at another place each time.
fn with_poison() -> Orders {
    let (good, poison) = (pictures(100, 1), poison_images());
    Arc::new(move |number| {
        let mut files = Vec::new();
        let mut expected = Vec::new();
        for place in 0..16 {
            if place == number % 16 {
                files.push(poison[number % poison.len()].clone());
                expected.push(Expected::Error(NOT_AN_IMAGE));
            } else {
                let one = good(3 * number + place);
                let Body::Files(bytes) = one.body else { continue };
                files.extend(bytes);
                expected.extend(one.expected);
            }
        }
        Order { body: Body::Files(files), expected }
    })
}

/// Bytes that a decoder must refuse.
fn poison_images() -> Vec<Bytes> {
    let jpeg = picture(Colour::Red, 300, 300, ImageFormat::Jpeg);
    let png = picture(Colour::Red, 300, 300, ImageFormat::Png);
    let webp = picture(Colour::Red, 300, 300, ImageFormat::WebP);
    let mut bomb = png.clone();
    // Width and height in IHDR: two thousand million pixels of one row each.
    bomb[16..24].copy_from_slice(&[0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0x7f, 0xff]);
    let mut garbled = png.clone();
    let middle = garbled.len() / 2;
    garbled[middle..].fill(0x5a);
    let mut tall = jpeg.clone();
    // The height and width in the frame's header, of 65,500 pixels each.
    if let Some(frame) = tall.windows(2).position(|two| two == [0xff, 0xc0]) {
        tall[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    }
    [
        jpeg[..jpeg.len() / 3].to_vec(),
        png[..png.len() / 2].to_vec(),
        webp[..webp.len() / 2].to_vec(),
        jpeg[..20].to_vec(),
        b"not an image at all".to_vec(),
        [b"GIF89a".as_slice(), &[0xff; 40]].concat(),
        bomb,
        garbled,
        tall,
    ]
    .into_iter()
    .map(Bytes::from)
    .collect()
}

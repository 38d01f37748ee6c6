//! A disk that is full, for the embedded store and its uploads.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::super::fleet::Plan;
use super::super::load::{Habits, pictures};
use super::super::report::Report;
use super::super::scene::{Scale, Scene};
use crate::harness::Backend;
use crate::wait;

/// Size of the disk.
const SIZE: &str = "size=96m";

/// A file system in memory, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one; `None` where this user may not.
    fn mount(at: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(at);
        mount.output().ok()?.status.success().then(|| Self(at.to_path_buf()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, should a process still be about to end.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// The disk of the store and of the uploads fills up under load, and is freed.
/// What is timed: from then until a job that was sent after it has ended.
pub(super) async fn full(store: Backend, scale: Scale) -> Report {
    const NAME: &str = "disk-full";
    let place = tempfile::tempdir().expect("a temporary folder");
    let Some(disk) = SmallDisk::mount(place.path()) else {
        return Report::new(NAME, store).skip("this user may not mount a tmpfs");
    };
    let plan = Plan { data: Some(disk.0.join("data")), ..Plan::of(1, 0) };
    let mut scene = Scene::set(NAME, store, plan).await;
    let pace = Habits { clients: 4, every: Duration::from_millis(50), fail_over: false };
    let load = scene.load(&pictures(300, 6), pace);
    for _ in 0..scale.pick(1, 5) {
        scene.acknowledged(5).await;
        let filler = disk.0.join("filler");
        fill(&filler);
        let ledger = std::sync::Arc::clone(&scene.ledger);
        let before = ledger.errors().values().sum::<u64>();
        wait::until("a refusal", || async {
            (ledger.errors().values().sum::<u64>() > before).then_some(())
        })
        .await;
        // Whatever room processes free meanwhile is taken as well.
        let full = Instant::now();
        while full.elapsed() < scale.pick(Duration::from_secs(3), Duration::from_secs(20)) {
            fill(&filler);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        std::fs::remove_file(&filler).expect("a freed disk");
        let recovery = scene.first_result_after(Instant::now()).await;
        scene.report.recovery.push(recovery);
    }
    load.stop().await;
    scene.settle(Duration::from_secs(60)).await;
    let strange = scene.report.errors.keys().filter(|kind| !is_refusal(kind)).cloned();
    let strange: Vec<String> = strange.collect();
    scene.report.limit(strange.is_empty(), format!("clients were told {strange:?}"));
    let sound = integrity(&scene.fleet.data().join("aisle.db"));
    scene.report.limit(sound == "ok", format!("the database: {sound}"));
    scene.report.recovers_within(10.0);
    scene.done()
}

/// Takes all the room that there is, to the last block.
fn fill(path: &Path) {
    let mut file = File::options().create(true).append(true).open(path).expect("a filler");
    for size in [1 << 20, 1 << 12, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

fn is_refusal(kind: &str) -> bool {
    ["503", "507", "429"].iter().any(|status| kind.starts_with(status))
}

fn integrity(database: &Path) -> String {
    let db = rusqlite::Connection::open(database).expect("a database");
    db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check")
}

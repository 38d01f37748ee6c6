//! A disk that is really full: a small file system in memory, filled up.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::domain::{
    ErrorCode, ItemError, ItemOutcome, JobId, JobOptions, NewItem, NewJob, Priority, TenantId,
};
use crate::store::{
    ClaimRequest, Claimed, Limits, Recorded, SqliteOptions, SqliteStore, Store, StoreLimits,
};

const MIB: u64 = 1024 * 1024;
const DISK: u64 = 24 * MIB;
const BALLAST: u64 = 4 * MIB;
const RESERVE: Reserve = Reserve::of_bytes(2 * MIB);

/// Times that a verb is tried: one is lost to finding the disk full.
const TRIES: usize = 5;

/// A file system of its own, gone when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where this process may not mount one.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={DISK}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder.path())
            .output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(folder))
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("aisle.db")
    }

    fn open(&self) -> SqliteStore {
        let limits = StoreLimits::of_items(u64::MAX);
        let (path, clock) = (self.database(), Clock::Store);
        let options = SqliteOptions { path, limits, reserve: RESERVE, ballast: BALLAST, clock };
        SqliteStore::open(options).unwrap()
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = File::create(self.filler()).unwrap();
        let page = vec![0_u8; 4096];
        while file.write_all(&page).is_ok() {}
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }

    fn has_ballast(&self) -> bool {
        let ballast = fs::metadata(beside(&self.database(), ".ballast"));
        ballast.is_ok_and(|ballast| ballast.len() == BALLAST)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a failing test may still have files open.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn new_job() -> NewJob {
    NewJob {
        id: JobId::generate(),
        tenant: TenantId::default_tenant(),
        weight: 1,
        model: "shoes".parse().unwrap(),
        priority: Priority::Normal,
        options: JobOptions { top_k: 5, cache: true, accept_precision: None },
        metadata: serde_json::Map::new(),
        max_attempts: 3,
        retention: Duration::from_secs(3600),
        callback: None,
        idempotency: None,
        trace: None,
    }
}

/// Items of about a kilobyte each.
fn items() -> Vec<NewItem> {
    let url = format!("https://shop.example/{}.jpg", "x".repeat(1_000));
    vec![NewItem::at_url(url); 50]
}

fn is_exhausted<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Exhausted { resource: Resource::Disk, .. }))
}

/// Repeats a verb that may find the disk full at first.
async fn insist<T, F: Future<Output = Result<T, StoreError>>>(verb: impl Fn() -> F) -> T {
    for _ in 1..TRIES {
        match verb().await {
            Err(StoreError::Exhausted { .. }) => {}
            answer => return answer.unwrap(),
        }
    }
    verb().await.unwrap()
}

async fn claim(store: &SqliteStore) -> Vec<Claimed> {
    let request = ClaimRequest {
        worker: "w-1".parse().unwrap(),
        model: "shoes".parse().unwrap(),
        max: 100,
        lease: Duration::from_secs(60),
        with_content: false,
    };
    insist(|| store.claim(&request)).await
}

/// Claims and ends all there is; how many items that were.
async fn drain(store: &SqliteStore) -> usize {
    let mut ended = 0;
    loop {
        let held = claim(store).await;
        if held.is_empty() {
            return ended;
        }
        let error = ItemError::new(ErrorCode::Undecodable, "no picture");
        let outcomes: Vec<_> =
            held.into_iter().map(|held| (held.lease, ItemOutcome::Failed(error.clone()))).collect();
        let recorded = insist(|| store.complete(&outcomes)).await;
        assert!(recorded.iter().all(|recorded| matches!(recorded, Recorded::Stored { .. })));
        ended += recorded.len();
    }
}

fn is_sound(database: &Path) -> bool {
    let db = Connection::open(database).unwrap();
    let verdict = db.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    verdict.unwrap() == "ok"
}

/// Mounts a small disk, or leaves the test where that is not allowed.
macro_rules! small_disk_or_skip {
    () => {
        match SmallDisk::mount() {
            Some(disk) => disk,
            None => {
                let _ = writeln!(std::io::stderr(), "skipped: this process may not mount a tmpfs");
                return;
            }
        }
    };
}

#[tokio::test]
async fn a_full_disk_refuses_intake_and_still_ends_what_is_there() {
    let disk = small_disk_or_skip!();
    let store = disk.open();
    assert!(disk.has_ballast());
    let tenant = TenantId::default_tenant();
    for _ in 0..40 {
        store.enqueue(&new_job(), &items()).await.unwrap();
    }
    store.admits(&tenant).await.unwrap();

    disk.fill();
    assert!(is_exhausted(&store.admits(&tenant).await));
    assert!(is_exhausted(&store.enqueue(&new_job(), &items()).await));
    assert!(disk.has_ballast(), "nothing was in need of it");

    // The write-ahead log cannot take the ends of two thousand items.
    assert_eq!(drain(&store).await, 2_000);
    assert!(!disk.has_ballast(), "the disk was never full");
    assert!(is_exhausted(&store.admits(&tenant).await));
    assert_eq!(store.stats().await.unwrap().live, 0);

    fs::remove_file(disk.filler()).unwrap();
    assert!(is_exhausted(&store.admits(&tenant).await), "the ballast comes first");
    store.sweep(10).await.unwrap();
    assert!(disk.has_ballast());
    store.admits(&tenant).await.unwrap();
    store.enqueue(&new_job(), &items()).await.unwrap();
    assert_eq!(drain(&store).await, 50);
    drop(store);
    assert!(is_sound(&disk.database()));
}

#[tokio::test]
async fn a_database_that_fills_its_disk_by_itself_stops_at_the_reserve() {
    let disk = small_disk_or_skip!();
    let store = disk.open();
    let mut jobs = 0;
    let refused = loop {
        match store.enqueue(&new_job(), &items()).await {
            Ok(_) => jobs += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Exhausted { .. }), "{refused:?}");
    assert_eq!(drain(&store).await, jobs * 50);
    drop(store);
    assert!(is_sound(&disk.database()));
}

#[test]
fn a_disk_without_room_gets_no_ballast_and_a_store_all_the_same() {
    let disk = small_disk_or_skip!();
    let page = vec![0_u8; (DISK - BALLAST) as usize];
    fs::write(disk.filler(), page).unwrap();
    let store = disk.open();
    assert!(!disk.has_ballast());
    drop(store);
}

use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt as _;
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::disk::Reserve;
use crate::domain::{JobId, ModelName};
use crate::store::sqlite::open::open_writer;

/// How long a disk waits for a word.
const PATIENCE: Duration = Duration::from_secs(10);

/// A writer over a file, whose disk takes what was committed when it is told to.
struct Rig {
    writer: Writer,
    wakers: Arc<Wakers>,
    disk: Sender<io::Result<()>>,
    syncs: Arc<AtomicUsize>,
    folder: TempDir,
}

impl Rig {
    /// How often the disk has taken what was committed.
    fn syncs(&self) -> usize {
        self.syncs.load(Ordering::SeqCst)
    }
}

fn rig() -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let (disk, told) = mpsc::channel();
    let wakers = Arc::<Wakers>::default();
    let syncs = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&syncs);
    let writer = Writer::start(
        open_writer(&path).unwrap(),
        StoreClock::of_boot(Clock::Store, "boot"),
        Arc::clone(&wakers),
        Disk::of(&path, Reserve::NONE, 0),
        Box::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            told.recv_timeout(PATIENCE).unwrap_or_else(|_| Err(io::Error::other("nobody said")))
        }),
    );
    Rig { writer: writer.unwrap(), wakers, disk, syncs, folder }
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("aisle.db")
}

/// Leaves something in a database that was not there before.
fn mark(db: &Connection) -> Result<(), StoreError> {
    db.execute_batch("CREATE TABLE IF NOT EXISTS marks (mark); INSERT INTO marks VALUES (1)")?;
    Ok(())
}

#[tokio::test]
async fn only_what_is_to_last_waits_for_the_disk_and_nothing_waits_behind_it() {
    let rig = rig();
    let mut lasting = pin!(rig.writer.write(|_| Ok("lasts")));
    assert!(lasting.as_mut().now_or_never().is_none());
    assert_eq!(rig.writer.write_unsynced(|_| Ok("seen")).await.unwrap(), "seen");
    assert!(lasting.as_mut().now_or_never().is_none());
    rig.disk.send(Ok(())).unwrap();
    assert_eq!(lasting.await.unwrap(), "lasts");
}

#[tokio::test]
async fn work_may_begin_before_the_disk_has_it_but_an_end_is_told_only_after() {
    let rig = rig();
    let (id, model) = (JobId::generate(), "mobilenet".parse::<ModelName>().unwrap());
    let mut end = rig.wakers.watch_end(&id);
    let (job, lane) = (id, model.clone());
    let step = rig.writer.write_unsynced(move |step| {
        step.changes.work(lane);
        step.changes.removed(job);
        Ok(())
    });
    step.await.unwrap();
    assert!(rig.wakers.wait_for_work(&model, Duration::MAX).now_or_never().is_some());
    let mut ended = pin!(end.changed(Duration::MAX));
    assert!(ended.as_mut().now_or_never().is_none());
    rig.disk.send(Ok(())).unwrap();
    ended.await;
}

#[tokio::test]
async fn what_wrote_nothing_waits_for_the_disk_only_where_it_may_have_seen_what_is_not_on_it() {
    let rig = rig();
    let look = || rig.writer.write(|_| Ok(()));
    (0..3).for_each(|_| rig.disk.send(Ok(())).unwrap());
    look().await.unwrap();
    assert_eq!(rig.syncs(), 1, "what the process before has left may not be on disk");
    look().await.unwrap();
    assert_eq!(rig.syncs(), 1);

    rig.writer.write_unsynced(|step| mark(step.db)).await.unwrap();
    look().await.unwrap();
    assert_eq!(rig.syncs(), 2);
    look().await.unwrap();
    assert_eq!(rig.syncs(), 2);

    mark(&Connection::open(file(&rig.folder)).unwrap()).unwrap();
    look().await.unwrap();
    assert_eq!(rig.syncs(), 3, "another process may not have synced what it wrote");
    look().await.unwrap();
    assert_eq!(rig.syncs(), 3);
}

#[tokio::test]
async fn what_wrote_nothing_waits_for_the_sync_that_is_under_way() {
    let rig = rig();
    let mut first = pin!(rig.writer.write(|step| mark(step.db)));
    assert!(first.as_mut().now_or_never().is_none());
    let mut looks = pin!(rig.writer.write(|_| Ok(())));
    assert!(looks.as_mut().now_or_never().is_none());
    rig.writer.write_unsynced(|_| Ok(())).await.unwrap();
    assert!(looks.as_mut().now_or_never().is_none());
    rig.disk.send(Ok(())).unwrap();
    looks.await.unwrap();
    first.await.unwrap();
}

#[tokio::test]
async fn a_disk_that_fails_is_believed_nothing_any_more() {
    let rig = rig();
    rig.disk.send(Err(io::Error::other("worn out"))).unwrap();
    let refused = rig.writer.write(|_| Ok(())).await.unwrap_err();
    assert!(refused.to_string().contains("worn out"), "{refused}");
    drop(rig.disk.send(Ok(())));
    let refused = rig.writer.write(|_| Ok(())).await.unwrap_err();
    assert!(refused.to_string().contains("stopped"), "{refused}");
}

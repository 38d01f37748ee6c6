use std::io;
use std::pin::pin;

use futures::FutureExt as _;
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::disk::Reserve;
use crate::domain::{JobId, ModelName};
use crate::store::sqlite::open::open_writer;

/// A writer over a file, whose disk takes what was committed when it is told to.
struct Rig {
    writer: Writer,
    wakers: Arc<Wakers>,
    disk: Sender<io::Result<()>>,
    _folder: TempDir,
}

fn rig() -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("aisle.db");
    let (disk, told) = mpsc::channel();
    let wakers = Arc::<Wakers>::default();
    let writer = Writer::start(
        open_writer(&path).unwrap(),
        StoreClock::of_boot(Clock::Store, "boot"),
        Arc::clone(&wakers),
        Disk::of(&path, Reserve::NONE, 0),
        Box::new(move || told.recv().unwrap()),
    );
    Rig { writer: writer.unwrap(), wakers, disk, _folder: folder }
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
async fn a_disk_that_fails_is_believed_nothing_any_more() {
    let rig = rig();
    rig.disk.send(Err(io::Error::other("worn out"))).unwrap();
    let refused = rig.writer.write(|_| Ok(())).await.unwrap_err();
    assert!(refused.to_string().contains("worn out"), "{refused}");
    drop(rig.disk.send(Ok(())));
    let refused = rig.writer.write(|_| Ok(())).await.unwrap_err();
    assert!(refused.to_string().contains("stopped"), "{refused}");
}

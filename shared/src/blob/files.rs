//! Blobs as files in a folder: `<folder>/<shard>/<job>/<index>`, where the
//! shard is the last two digits of the job's id, its most random ones.
//!
//! What must never happen: half a file under an item's name, or a file that
//! was acknowledged and is gone after a crash. So bytes are written under
//! another name, synced, renamed, and then the folders are synced. What a
//! crash leaves behind lies in the job's folder and goes with it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use super::aged::Walk;
use super::{BlobError, BlobStore};
use crate::disk::Reserve;
use crate::domain::{ItemRef, JobId, Timestamp};

/// Times that a put makes the job's folder anew when a concurrent delete
/// removes it in between.
const PUT_ATTEMPTS: u32 = 10;

/// Blobs as files: `<folder>/<last two digits of the job>/<job>/<index>`.
#[derive(Debug)]
pub struct FileBlobs {
    folder: Arc<Folder>,
    walk: Arc<Mutex<Walk>>,
    reserve: Reserve,
}

/// The paths of blobs, and what is done to them.
#[derive(Debug)]
struct Folder(PathBuf);

impl FileBlobs {
    /// Blobs in a folder, which is made when it is not there. Several
    /// processes may share it.
    ///
    /// # Errors
    /// When the folder cannot be made or written to.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, BlobError> {
        let folder = Folder(folder.into());
        folder.prepare().map_err(|error| {
            BlobError::Unavailable(format!("{} cannot be used: {error}", folder.0.display()))
        })?;
        Ok(Self { folder: Arc::new(folder), walk: Arc::default(), reserve: Reserve::NONE })
    }

    /// The same, with so much of the disk left free.
    #[must_use]
    pub fn leaving(self, reserve: Reserve) -> Self {
        Self { reserve, ..self }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Folder) -> io::Result<T> + Send + 'static,
    ) -> Result<T, BlobError> {
        let folder = Arc::clone(&self.folder);
        let done = tokio::task::spawn_blocking(move || act(&folder)).await;
        done.map_err(io::Error::from).flatten().map_err(|error| {
            let is_full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
            let detail = error.to_string();
            if is_full { BlobError::Full(detail) } else { BlobError::Unavailable(detail) }
        })
    }
}

#[async_trait]
impl BlobStore for FileBlobs {
    async fn admits(&self) -> Result<(), BlobError> {
        let reserve = self.reserve;
        match self.blocking(move |folder| reserve.breach(&folder.0)).await? {
            None => Ok(()),
            Some(detail) => Err(BlobError::Full(detail)),
        }
    }

    fn goes_with_job(&self, _bytes: usize) -> bool {
        false
    }

    async fn put(&self, item: ItemRef, bytes: Bytes) -> Result<(), BlobError> {
        self.blocking(move |folder| folder.put(item, &bytes)).await
    }

    async fn get(&self, item: ItemRef) -> Result<Option<Bytes>, BlobError> {
        self.blocking(move |folder| match fs::read(folder.item(item)) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    async fn delete(&self, items: &[ItemRef]) -> Result<(), BlobError> {
        let items = items.to_vec();
        self.blocking(move |folder| items.into_iter().try_for_each(|item| folder.delete(item)))
            .await
    }

    async fn delete_job(&self, job: JobId, _items: u32) -> Result<(), BlobError> {
        self.blocking(move |folder| missing_is_fine(fs::remove_dir_all(folder.job(job)))).await
    }

    async fn aged_jobs(&self, limit: usize) -> Result<Vec<JobId>, BlobError> {
        let walk = Arc::clone(&self.walk);
        self.blocking(move |folder| {
            let mut walk = walk.lock().unwrap_or_else(PoisonError::into_inner);
            walk.next(limit, Timestamp::now(), |shard| folder.jobs(shard))
        })
        .await
    }
}

impl Folder {
    /// Makes every shard, so that no put has to make one durable.
    fn prepare(&self) -> io::Result<()> {
        for shard in 0..=u8::MAX {
            make_folder(&self.shard(shard))?;
        }
        sync_folder(&self.0)
    }

    fn shard(&self, shard: u8) -> PathBuf {
        self.0.join(format!("{shard:02x}"))
    }

    fn job(&self, job: JobId) -> PathBuf {
        self.shard(shard_of(job)).join(job.to_string())
    }

    fn item(&self, item: ItemRef) -> PathBuf {
        self.job(item.job).join(item.index.to_string())
    }

    fn put(&self, item: ItemRef, bytes: &[u8]) -> io::Result<()> {
        let folder = self.job(item.job);
        let partial = folder.join(format!("{}.{}", item.index, Uuid::now_v7().as_simple()));
        let mut file = create_in(&folder, &partial)?;
        let written = file
            .write_all(bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&partial, self.item(item)));
        if let Err(error) = written {
            // The reason matters more than whether the rest could be removed.
            let _ = fs::remove_file(&partial);
            return Err(error);
        }
        sync_folder(&folder)?;
        // Another put may have made the job's folder and not yet synced it.
        sync_folder(&self.shard(shard_of(item.job)))
    }

    fn delete(&self, item: ItemRef) -> io::Result<()> {
        missing_is_fine(fs::remove_file(self.item(item)))?;
        match fs::remove_dir(self.job(item.job)) {
            // Other items are still there, or are being put.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
            removed => missing_is_fine(removed),
        }
    }

    /// The jobs that have a folder in a shard.
    fn jobs(&self, shard: u8) -> io::Result<Vec<JobId>> {
        let mut jobs = Vec::new();
        for entry in fs::read_dir(self.shard(shard))? {
            let name = entry?.file_name();
            let job = name.to_str().and_then(|name| name.parse().ok());
            jobs.extend(job.filter(|job| shard_of(*job) == shard));
        }
        Ok(jobs)
    }
}

fn shard_of(job: JobId) -> u8 {
    let [.., last] = *job.as_uuid().as_bytes();
    last
}

/// Creates a file in a folder that may not be there, or no longer.
fn create_in(folder: &Path, path: &Path) -> io::Result<File> {
    let mut attempt = 1;
    loop {
        make_folder(folder)?;
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound && attempt < PUT_ATTEMPTS => {
                attempt += 1;
            }
            created => return created,
        }
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn missing_is_fine(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn store() -> (TempDir, FileBlobs) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = FileBlobs::open(folder.path().join("blobs")).unwrap();
        (folder, blobs)
    }

    fn item(job: JobId, index: u32) -> ItemRef {
        ItemRef { job, index }
    }

    /// A job from long ago.
    fn old_job(last: u8) -> JobId {
        format!("00000000-0001-7000-8000-0000000000{last:02x}").parse().unwrap()
    }

    #[tokio::test]
    async fn bytes_come_back_as_they_were_put_even_to_another_process() {
        let (folder, blobs) = store();
        let job = JobId::generate();
        let every_byte = Bytes::from_iter(0..=u8::MAX);
        blobs.put(item(job, 0), every_byte.clone()).await.unwrap();
        blobs.put(item(job, 1), Bytes::new()).await.unwrap();

        let other = FileBlobs::open(folder.path().join("blobs")).unwrap();
        assert_eq!(other.get(item(job, 0)).await.unwrap(), Some(every_byte));
        assert_eq!(other.get(item(job, 1)).await.unwrap(), Some(Bytes::new()));
        assert_eq!(other.get(item(job, 2)).await.unwrap(), None);
    }

    #[tokio::test]
    async fn putting_again_replaces_and_leaves_nothing_beside() {
        let (_folder, blobs) = store();
        let job = JobId::generate();
        for bytes in [b"one".as_slice(), b"two"] {
            blobs.put(item(job, 7), Bytes::copy_from_slice(bytes)).await.unwrap();
        }
        assert_eq!(blobs.get(item(job, 7)).await.unwrap().unwrap(), "two");
        let names: Vec<_> = fs::read_dir(blobs.folder.job(job))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["7"]);
    }

    #[tokio::test]
    async fn the_folder_of_a_job_goes_with_its_last_item() {
        let (_folder, blobs) = store();
        let job = JobId::generate();
        for index in 0..3 {
            blobs.put(item(job, index), Bytes::from("x")).await.unwrap();
        }
        blobs.delete(&[item(job, 0), item(job, 1), item(job, 1), item(job, 9)]).await.unwrap();
        assert_eq!(blobs.get(item(job, 0)).await.unwrap(), None);
        assert!(blobs.get(item(job, 2)).await.unwrap().is_some());
        blobs.delete(&[item(job, 2)]).await.unwrap();
        assert!(!blobs.folder.job(job).exists());
        blobs.delete(&[item(job, 2)]).await.unwrap();
    }

    #[tokio::test]
    async fn a_job_goes_whole_with_what_a_crash_left_in_its_folder() {
        let (_folder, blobs) = store();
        let job = JobId::generate();
        blobs.put(item(job, 0), Bytes::from("x")).await.unwrap();
        fs::write(blobs.folder.job(job).join("1.partial"), "half").unwrap();
        blobs.delete_job(job, 2).await.unwrap();
        assert!(!blobs.folder.job(job).exists());
        blobs.delete_job(job, 2).await.unwrap();
    }

    #[tokio::test]
    async fn only_folders_of_old_jobs_are_aged() {
        let (_folder, blobs) = store();
        let (old, older) = (old_job(0x20), old_job(0xff));
        for job in [JobId::generate(), old, older] {
            blobs.put(item(job, 0), Bytes::from("x")).await.unwrap();
        }
        // A crash before the first rename leaves a folder with no item in it.
        let crashed = old_job(0x00);
        fs::create_dir(blobs.folder.job(crashed)).unwrap();
        fs::write(blobs.folder.job(crashed).join("0.partial"), "half").unwrap();
        // What is not ours is left alone.
        fs::create_dir(blobs.folder.shard(0x20).join("lost+found")).unwrap();
        fs::create_dir(blobs.folder.shard(0x21).join(old.to_string())).unwrap();

        assert_eq!(blobs.aged_jobs(10).await.unwrap(), [crashed, old, older]);
        assert_eq!(blobs.aged_jobs(1).await.unwrap(), [crashed]);
        assert_eq!(blobs.aged_jobs(1).await.unwrap(), [old]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn puts_and_deletes_of_one_job_do_not_disturb_each_other() {
        let (_folder, blobs) = store();
        let blobs = Arc::new(blobs);
        let job = JobId::generate();
        let workers = (0..8).map(|index| {
            let blobs = Arc::clone(&blobs);
            tokio::spawn(async move {
                for _ in 0..50 {
                    blobs.put(item(job, index), Bytes::from("x")).await.unwrap();
                    assert!(blobs.get(item(job, index)).await.unwrap().is_some());
                    blobs.delete(&[item(job, index)]).await.unwrap();
                }
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await.unwrap();
        }
        assert!(!blobs.folder.job(job).exists());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_that_names_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = FileBlobs::open(file.path().join("blobs")).unwrap_err();
        assert!(error.to_string().contains("blobs cannot be used"), "{error}");
    }

    #[tokio::test]
    async fn blobs_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;

        let (_folder, blobs) = store();
        let job = JobId::generate();
        blobs.put(item(job, 0), Bytes::from("x")).await.unwrap();
        for (path, mode) in
            [(blobs.folder.item(item(job, 0)), 0o600), (blobs.folder.job(job), 0o700)]
        {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
        }
    }
}

//! How much memory networks may take together, and which of them go when another
//! needs room: the one that has not run for longest.
//!
//! What must never happen: a network that is dropped while it runs a batch, or
//! whose files are no longer there to load it from; two that drive each other out
//! for every batch.

use std::fs;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use aisle_shared::domain::ModelName;
use aisle_shared::telemetry::names;

use crate::error::WorkerError;
use crate::network::{Network, Replica, largest};

/// A network that was used stays for so many times the time that it took to
/// load, so that loading costs a tenth of the time at most.
const STAYS: u32 = 10;

/// The longest that a network stays for that reason.
const LONGEST_STAY: Duration = Duration::from_secs(5);

/// The networks of a worker that are in memory. Clones are of the same.
#[derive(Debug, Clone)]
pub(crate) struct Memory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Bytes.
    limit: Option<u64>,
    /// The model whose network always stays; `None` for the first by name.
    pinned: Option<ModelName>,
    /// Held while a network is loaded.
    loading: Mutex<()>,
    seats: Mutex<Vec<Weak<Seat>>>,
    /// Wakes who waits for room.
    freed: (Mutex<()>, Condvar),
}

/// A network's place in memory.
#[derive(Debug)]
struct Seat {
    model: ModelName,
    origin: Box<dyn Origin>,
    network: Mutex<Option<Network>>,
    usage: Mutex<Usage>,
}

#[derive(Debug, Clone, Copy)]
struct Usage {
    /// What it takes while it is loaded.
    bytes: u64,
    /// What its files take.
    files: u64,
    loaded: bool,
    loaded_at: Instant,
    /// How long loading took.
    took: Duration,
    /// When it last ran a batch, or was loaded for one.
    ran_at: Option<Instant>,
}

/// Where a network came from.
pub(crate) trait Origin: std::fmt::Debug + Send + Sync {
    /// Whether it can be loaded from there again.
    fn is_there(&self) -> bool;

    /// Loads it as it was loaded before.
    ///
    /// # Errors
    /// When it cannot be loaded, or would be another.
    fn load(&self) -> Result<Network, WorkerError>;

    /// Loads another session of it, which runs beside it.
    ///
    /// # Errors
    /// When it cannot be loaded, or would be of another network.
    fn replica(&self) -> Result<Replica, WorkerError>;
}

/// A model's network, which may be out of memory for a while.
#[derive(Debug)]
pub(crate) struct Resident {
    memory: Memory,
    seat: Arc<Seat>,
    batch_sizes: Vec<usize>,
}

impl Memory {
    /// Memory for networks up to so many bytes, of which that model's always
    /// stays in it.
    pub(crate) fn new(limit: Option<u64>, pinned: Option<ModelName>) -> Self {
        Self(Arc::new(Inner {
            limit,
            pinned,
            loading: Mutex::default(),
            seats: Mutex::default(),
            freed: Default::default(),
        }))
    }

    /// Whether there is a limit.
    pub(crate) fn is_limited(&self) -> bool {
        self.0.limit.is_some()
    }

    /// Makes room for a model that was never loaded, loads it, and gives its
    /// network a place. `files` is how long its files are, in bytes; what it takes
    /// is measured.
    ///
    /// # Errors
    /// When it cannot be loaded, or does not fit beside the one that stays.
    pub(crate) fn admit<T>(
        &self,
        model: &ModelName,
        files: u64,
        load: impl FnOnce() -> Result<(T, Network), WorkerError>,
        origin: impl FnOnce(&T) -> Box<dyn Origin>,
    ) -> Result<(T, Resident), WorkerError> {
        let _one = lock(&self.0.loading);
        self.0.make_room(model, files);
        let (before, start) = (in_use(), Instant::now());
        let (loaded, network) = load().inspect_err(|_| counted(model, "failed"))?;
        let took = start.elapsed();
        // Beside traffic, and where freed memory is used again, growth says little.
        let grown = || files.max(in_use().saturating_sub(before));
        let bytes = self.0.alike(model, files).unwrap_or_else(grown);
        self.0.fits(model, bytes).inspect_err(|_| counted(model, "failed"))?;
        self.0.make_room(model, bytes);
        let loaded_at = Instant::now();
        let usage = Usage { bytes, files, loaded: true, loaded_at, took, ran_at: None };
        let batch_sizes = network.batch_sizes().to_vec();
        let seat = Arc::new(Seat {
            model: model.clone(),
            origin: origin(&loaded),
            network: Mutex::new(Some(network)),
            usage: Mutex::new(usage),
        });
        lock(&self.0.seats).push(Arc::downgrade(&seat));
        counted(model, "loaded");
        self.0.show(model);
        tracing::info!(%model, mib = bytes >> 20, ?took, "a network is in memory");
        Ok((loaded, Resident { memory: self.clone(), seat, batch_sizes }))
    }
}

impl Inner {
    /// Every network's place.
    fn seats(&self) -> Vec<Arc<Seat>> {
        let mut seats = lock(&self.seats);
        seats.retain(|seat| seat.strong_count() > 0);
        seats.iter().filter_map(Weak::upgrade).collect()
    }

    /// Whose network always stays.
    fn pinned(&self, seats: &[Arc<Seat>]) -> Option<ModelName> {
        let first = || seats.iter().map(|seat| &seat.model).min();
        self.pinned.as_ref().or_else(first).cloned()
    }

    /// What another version of a model takes whose files are about as long.
    fn alike(&self, model: &ModelName, files: u64) -> Option<u64> {
        let about = files / 5 * 4..=files / 4 * 5;
        let seats = self.seats();
        let versions = seats.iter().filter(|seat| seat.model == *model);
        let usages = versions.map(|seat| *lock(&seat.usage));
        usages.filter(|usage| about.contains(&usage.files)).map(|usage| usage.bytes).max()
    }

    /// Whether a network can be loaded at all, beside the one that stays.
    fn fits(&self, model: &ModelName, bytes: u64) -> Result<(), WorkerError> {
        let Some(limit) = self.limit else { return Ok(()) };
        let seats = self.seats();
        let stays = self.pinned(&seats).filter(|pinned| pinned != model);
        let beside = seats.iter().filter(|seat| Some(&seat.model) == stays.as_ref());
        let beside = beside.map(|seat| lock(&seat.usage).bytes).max().unwrap_or(0);
        if beside.saturating_add(bytes) <= limit {
            return Ok(());
        }
        let [needs, leaves] = [bytes, limit.saturating_sub(beside)].map(|bytes| bytes >> 20);
        Err(WorkerError::TooLarge { model: model.clone(), needs, leaves })
    }

    /// Drops networks until so many bytes of a model fit beside the others. Where
    /// those that are left have to stay, it passes the limit, and says so.
    fn make_room(&self, model: &ModelName, bytes: u64) {
        let Some(limit) = self.limit else { return };
        loop {
            let seats = self.seats();
            let pinned = self.pinned(&seats);
            let loaded = seats.iter().map(|seat| (seat, *lock(&seat.usage)));
            let loaded: Vec<_> = loaded.filter(|(_, usage)| usage.loaded).collect();
            let taken: u64 = loaded.iter().map(|(_, usage)| usage.bytes).sum();
            if taken.saturating_add(bytes) <= limit {
                return;
            }
            // The version that is to be replaced serves until then.
            let stays = |seat: &Seat| Some(&seat.model) == pinned.as_ref() || seat.model == *model;
            let may_go = loaded.iter().filter(|(seat, _)| !stays(seat) && seat.origin.is_there());
            let Some((seat, usage)) = may_go.min_by_key(|(_, usage)| usage.touched()) else {
                let [taken, more, limit] = [taken, bytes, limit].map(|bytes| bytes >> 20);
                tracing::warn!(taken, more, limit, "networks take more than their limit, in MiB");
                return;
            };
            let rest = usage.stays_until().saturating_duration_since(Instant::now());
            if rest.is_zero() {
                seat.empty();
                metrics::counter!(names::MODEL_EVICTIONS_TOTAL, "model" => seat.model.to_string())
                    .increment(1);
                tracing::info!(model = %seat.model, "a network is dropped to make room");
                self.show(&seat.model);
            } else {
                let (waiting, freed) = &self.freed;
                drop(freed.wait_timeout(lock(waiting), rest));
            }
        }
    }

    /// Shows how much memory a model's networks take, in all its versions.
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    fn show(&self, model: &ModelName) {
        let seats = self.seats();
        let of_it = seats.iter().filter(|seat| seat.model == *model);
        let usages = of_it.map(|seat| *lock(&seat.usage)).filter(|usage| usage.loaded);
        let bytes: u64 = usages.map(|usage| usage.bytes).sum();
        metrics::gauge!(names::MODEL_MEMORY_BYTES, "model" => model.to_string()).set(bytes as f64);
    }
}

impl Usage {
    /// When it was last of use.
    fn touched(&self) -> Instant {
        self.ran_at.map_or(self.loaded_at, |ran_at| ran_at.max(self.loaded_at))
    }

    /// Until when it is not dropped for others.
    fn stays_until(&self) -> Instant {
        let used = self.ran_at.is_some_and(|ran_at| ran_at >= self.loaded_at);
        let stay = self.took.saturating_mul(STAYS).min(LONGEST_STAY);
        if used { self.loaded_at + stay } else { self.loaded_at }
    }
}

impl Seat {
    /// Drops the network, after the batch that it may be running.
    fn empty(&self) {
        let network = lock(&self.network).take();
        lock(&self.usage).loaded = false;
        drop(network);
    }
}

impl Resident {
    /// Batch sizes that the network takes, ascending from 1.
    pub(crate) fn batch_sizes(&self) -> &[usize] {
        &self.batch_sizes
    }

    /// The largest batch that this many images fill, at least 1.
    pub(crate) fn largest_batch(&self, images: usize) -> usize {
        largest(&self.batch_sizes, images)
    }

    /// Runs something in the network, which is loaded first where it is not in
    /// memory.
    ///
    /// # Errors
    /// When it cannot be loaded again.
    pub(crate) fn run<T>(&self, work: impl FnOnce(&mut Network) -> T) -> Result<T, WorkerError> {
        loop {
            if let Some(network) = &mut *lock(&self.seat.network) {
                let done = work(network);
                lock(&self.seat.usage).ran_at = Some(Instant::now());
                return Ok(done);
            }
            self.bring()?;
        }
    }

    /// Loads another session of the network, which is the caller's. Its memory is
    /// not counted: there are none where memory is limited.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub(crate) fn replica(&self) -> Result<Replica, WorkerError> {
        self.seat.origin.replica()
    }

    /// Loads the network where it is not in memory.
    ///
    /// # Errors
    /// When it cannot be loaded again.
    pub(crate) fn bring(&self) -> Result<(), WorkerError> {
        let memory = &self.memory.0;
        let model = &self.seat.model;
        let loaded = || lock(&self.seat.usage).loaded;
        if loaded() {
            return Ok(());
        }
        let _one = lock(&memory.loading);
        if loaded() {
            return Ok(());
        }
        let bytes = lock(&self.seat.usage).bytes;
        memory.make_room(model, bytes);
        let start = Instant::now();
        let network = self.seat.origin.load().inspect_err(|_| counted(model, "failed"))?;
        let took = start.elapsed();
        *lock(&self.seat.network) = Some(network);
        let now = Instant::now();
        {
            let mut usage = lock(&self.seat.usage);
            *usage = Usage { loaded: true, loaded_at: now, took, ran_at: Some(now), ..*usage };
        }
        counted(model, "loaded");
        memory.show(model);
        tracing::info!(%model, ?took, "a network is in memory again");
        Ok(())
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        self.seat.empty();
        let (waiting, freed) = &self.memory.0.freed;
        drop(lock(waiting));
        freed.notify_all();
        self.memory.0.show(&self.seat.model);
    }
}

fn counted(model: &ModelName, result: &'static str) {
    metrics::counter!(
        names::MODEL_LOADS_TOTAL, "model" => model.to_string(), "result" => result
    )
    .increment(1);
}

/// Bytes of this process that lie in memory (`VmRSS`, proc(5)); 0 where that is
/// not known.
fn in_use() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

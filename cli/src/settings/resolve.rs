//! From texts in four layers to settings that hold together.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aisle_shared::domain::ModelName;
use aisle_worker::Provider;
use clap::Args;

use super::given::Given;
use super::problem::place;
use super::{BlobsSetting, Layer, LogSetting, Problems, StoreSetting, file, values};

/// Settings as the command line gives them.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SettingsArgs {
    /// Settings file in TOML; without it, aisle.toml of the working folder
    /// if there is one. Variables and flags win over it.
    #[arg(long, env = "AISLE_CONFIG", value_name = "FILE", help_heading = "Settings")]
    pub(crate) config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) layer: Layer,
}

/// Settings, understood and checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) data: PathBuf,
    pub(crate) store: StoreSetting,
    pub(crate) blobs: BlobsSetting,
    pub(crate) models: Option<PathBuf>,
    pub(crate) default_model: Option<ModelName>,
    pub(crate) ort_lib: Option<PathBuf>,
    pub(crate) provider: Provider,
    pub(crate) threads: Option<NonZeroUsize>,
    pub(crate) max_batch: NonZeroUsize,
    pub(crate) batch_wait: Duration,
    pub(crate) decode_timeout: Duration,
    pub(crate) decode_memory: Option<u64>,
    pub(crate) lease: Duration,
    pub(crate) retention: Duration,
    pub(crate) max_attempts: u32,
    pub(crate) max_queue_items: u64,
    pub(crate) grace: Duration,
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) log_format: LogSetting,
    pub(crate) log: String,
    pub(crate) danger_allow_private_networks: bool,
    pub(crate) danger_allow_volatile_redis: bool,
}

impl Settings {
    /// Brings defaults, file, environment and flags together.
    ///
    /// # Errors
    /// Every problem in one.
    pub(crate) fn resolve(args: SettingsArgs) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let mut layer = Layer::defaults();
        let mut path = PathBuf::new();
        match file::read(args.config.as_deref()) {
            Ok(file) => {
                layer = layer.merge(file.layer);
                path = file.path;
            }
            Err(problem) => problems.push(problem),
        }
        let layer = layer.merge(args.layer);
        let mut reader = Reader { file: &path, problems };
        let settings = Self::understand(&layer, &mut reader);
        match settings {
            Some(settings) if reader.problems.is_empty() => Ok(settings),
            Some(_) | None => Err(Problems(reader.problems)),
        }
    }

    /// Reads every setting before any missing one is given up on, so that all
    /// problems are found.
    fn understand(layer: &Layer, reader: &mut Reader<'_>) -> Option<Self> {
        macro_rules! read {
            ($key:ident, $parse:expr) => {
                reader.read(stringify!($key), layer.$key.as_ref(), $parse)
            };
        }
        let listen = read!(listen, values::address);
        let data = read!(data, values::path);
        let store = read!(store, values::store);
        let blobs = read!(blobs, values::blobs);
        let models = read!(models, values::existing_folder);
        let default_model = read!(default_model, values::name::<ModelName>);
        let ort_lib = read!(ort_lib, values::existing_file);
        let provider = read!(provider, values::provider);
        let threads = read!(threads, values::within(1..=1024));
        let max_batch = read!(max_batch, values::within(1..=256));
        let batch_wait_ms = read!(batch_wait_ms, values::within(0..=1000));
        let decode_timeout_seconds = read!(decode_timeout_seconds, values::within(1..=30));
        let decode_memory_mib = read!(decode_memory_mib, values::within(512..=16_777_216_u64));
        let lease_seconds = read!(lease_seconds, values::within(5..=3600));
        let retention_hours = read!(retention_hours, values::within(1..=8760));
        let max_attempts = read!(max_attempts, values::within(1..=20));
        let max_queue_items = read!(max_queue_items, values::within(1..=1_000_000_000));
        let grace_seconds = read!(grace_seconds, values::within(1..=600));
        let metrics_listen = read!(metrics_listen, values::address);
        let log_format = read!(log_format, values::log_format);
        let log = read!(log, values::text);
        let danger_allow_private_networks = read!(danger_allow_private_networks, values::truth);
        let danger_allow_volatile_redis = read!(danger_allow_volatile_redis, values::truth);

        let data = data?;
        let store = store.unwrap_or_else(|| StoreSetting::Sqlite(data.join("aisle.db")));
        let blobs = blobs.unwrap_or(match store {
            StoreSetting::Sqlite(_) => BlobsSetting::Files,
            StoreSetting::Redis(_) => BlobsSetting::Redis,
        });
        reader.problems.extend(blobs_without_redis(&store, blobs));
        reader.problems.extend(missing_default(models.as_deref(), default_model.as_ref()));
        Some(Self {
            listen: listen?,
            data,
            store,
            blobs,
            models,
            default_model,
            ort_lib,
            provider: provider?,
            threads: threads.and_then(NonZeroUsize::new),
            max_batch: NonZeroUsize::new(max_batch?)?,
            batch_wait: Duration::from_millis(batch_wait_ms?),
            decode_timeout: Duration::from_secs(decode_timeout_seconds?),
            decode_memory: decode_memory_mib.map(|mib| mib << 20),
            lease: Duration::from_secs(lease_seconds?),
            retention: Duration::from_secs(3600 * retention_hours?),
            max_attempts: max_attempts?,
            max_queue_items: max_queue_items?,
            grace: Duration::from_secs(grace_seconds?),
            metrics_listen,
            log_format: log_format?,
            log: log?,
            danger_allow_private_networks: danger_allow_private_networks?,
            danger_allow_volatile_redis: danger_allow_volatile_redis?,
        })
    }
}

fn blobs_without_redis(store: &StoreSetting, blobs: BlobsSetting) -> Option<String> {
    match (store, blobs) {
        (StoreSetting::Sqlite(_), BlobsSetting::Redis) => {
            Some("blobs: redis needs a Redis store, and store is a SQLite file".to_owned())
        }
        (StoreSetting::Sqlite(_) | StoreSetting::Redis(_), BlobsSetting::Files)
        | (StoreSetting::Redis(_), BlobsSetting::Redis) => None,
    }
}

fn missing_default(models: Option<&Path>, default: Option<&ModelName>) -> Option<String> {
    let (folder, name) = (models?, default?);
    // The folder may be a model's own.
    let present = folder.ends_with(name.as_str()) || folder.join(name.as_str()).is_dir();
    (!present).then(|| format!("default_model: there is no model {name} in {}", folder.display()))
}

/// Reads one setting after the other and keeps what is wrong with them.
struct Reader<'a> {
    file: &'a Path,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn read<T>(
        &mut self,
        key: &str,
        given: Option<&Given>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let given = given.filter(|given| !given.text.is_empty())?;
        match parse(&given.text) {
            Ok(value) => Some(value),
            Err(what) => {
                let place = place(key, given.source, self.file);
                self.problems.push(format!("{place}: {what}"));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::given::Source;

    fn given(text: &str, source: Source) -> Option<Given> {
        Some(Given { text: text.to_owned(), source })
    }

    fn resolve(file: &str, layer: Layer) -> Result<Settings, Problems> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("aisle.toml");
        std::fs::write(&path, file).unwrap();
        Settings::resolve(SettingsArgs { config: Some(path), layer })
    }

    #[test]
    fn flags_win_over_variables_over_the_file_over_defaults() {
        let file = "max_batch = 3\nmax_attempts = 7\nlog_format = \"json\"\n";
        let layer = Layer {
            max_batch: given("7", Source::Flag),
            max_attempts: given("6", Source::Environment),
            log_format: given("text", Source::Default),
            ..Layer::default()
        };
        let settings = resolve(file, layer).unwrap();
        assert_eq!(settings.max_batch.get(), 7);
        assert_eq!(settings.max_attempts, 6);
        assert_eq!(settings.log_format, LogSetting::Json);
        assert_eq!(settings.lease, Duration::from_secs(10));
    }

    #[test]
    fn an_empty_variable_is_no_setting() {
        let layer = Layer {
            max_batch: given("", Source::Environment),
            max_attempts: given("", Source::Environment),
            store: given("", Source::Environment),
            ..Layer::default()
        };
        let settings = resolve("max_batch = 3\n", layer).unwrap();
        assert_eq!(settings.max_batch.get(), 3);
        assert_eq!(settings.max_attempts, 5);
        assert_eq!(settings.store, StoreSetting::Sqlite("data/aisle.db".into()));
    }

    #[test]
    fn every_problem_is_reported_with_its_place() {
        let layer = Layer {
            listen: given("here", Source::Flag),
            store: given("redis:hunter2", Source::Environment),
            ..Layer::default()
        };
        let problems = resolve("max_batch = 0\n", layer).unwrap_err().to_string();
        assert!(problems.contains("--listen (flag): must be"), "{problems}");
        assert!(problems.contains("AISLE_STORE (environment): must be"), "{problems}");
        assert!(problems.contains("aisle.toml): must be a whole number from 1"), "{problems}");
        assert!(!problems.contains("hunter2"), "{problems}");
    }

    #[test]
    fn a_file_that_cannot_be_read_does_not_hide_other_problems() {
        let layer = Layer { listen: given("here", Source::Flag), ..Layer::default() };
        let problems = resolve("max_bach = 1\n", layer).unwrap_err().to_string();
        assert!(problems.contains("max_bach"), "{problems}");
        assert!(problems.contains("--listen"), "{problems}");
    }

    #[test]
    fn uploads_follow_the_store() {
        let redis = resolve("store = \"redis://cache\"\n", Layer::default()).unwrap();
        assert_eq!(redis.blobs, BlobsSetting::Redis);
        let sqlite = resolve("data = \"d\"\n", Layer::default()).unwrap();
        assert_eq!(sqlite.blobs, BlobsSetting::Files);
        assert_eq!(sqlite.store, StoreSetting::Sqlite("d/aisle.db".into()));
        let both = resolve("blobs = \"redis\"\n", Layer::default()).unwrap_err().to_string();
        assert!(both.contains("blobs: redis needs"), "{both}");
    }

    #[test]
    fn a_default_model_must_be_among_the_models() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("shoes")).unwrap();
        let layer = |name| Layer {
            models: given(folder.path().to_str().unwrap(), Source::Flag),
            default_model: given(name, Source::Flag),
            ..Layer::default()
        };
        assert!(resolve("", layer("shoes")).is_ok());
        assert!(resolve("", layer("hats")).is_err());
    }
}

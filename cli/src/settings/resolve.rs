//! From texts in four layers to settings that hold together.

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aisle_api::{Access, AllowedHosts};
use aisle_shared::disk::Reserve;
use aisle_shared::domain::ModelName;
use aisle_shared::store::{CacheLimits, StoreLimits};
use aisle_shared::webhook::MasterKey;
use aisle_worker::ProviderChoice;
use clap::Args;
use url::Url;

use super::given::{Given, Source};
use super::problem::place;
use super::{BlobsSetting, Layer, LogSetting, Problems, StoreSetting, file, values};

/// Bytes of a mebibyte.
const MIB: u64 = 1024 * 1024;

/// Settings as the command line gives them.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SettingsArgs {
    /// OpenTelemetry's own variable, which holds where `otlp_endpoint` is not
    /// set. As a flag it would be the same twice, so help does not show it.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", hide = true)]
    pub(crate) otel_exporter_otlp_endpoint: Option<String>,

    /// Settings file in TOML; without it, aisle.toml of the working folder
    /// if there is one. Variables and flags win over it.
    #[arg(long, env = "AISLE_CONFIG", value_name = "FILE", help_heading = "Settings")]
    pub(crate) config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) layer: Layer,
}

/// The files that HTTPS is served with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

/// Settings, understood and checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    /// Who may call, if that was said.
    pub(crate) auth: Option<Access>,
    pub(crate) allowed_hosts: AllowedHosts,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) data: PathBuf,
    pub(crate) store: StoreSetting,
    pub(crate) redis_shards: NonZeroU16,
    pub(crate) blobs: BlobsSetting,
    pub(crate) models: Option<PathBuf>,
    pub(crate) default_model: Option<ModelName>,
    /// `None` where a worker serves what was there at its start.
    pub(crate) models_poll: Option<Duration>,
    /// Bytes.
    pub(crate) model_memory: Option<u64>,
    pub(crate) ort_lib: Option<PathBuf>,
    pub(crate) secret_key: Option<Vec<MasterKey>>,
    pub(crate) secret_key_file: Option<PathBuf>,
    pub(crate) webhooks: Option<bool>,
    pub(crate) provider: ProviderChoice,
    pub(crate) threads: Option<NonZeroUsize>,
    pub(crate) max_batch: NonZeroUsize,
    pub(crate) batch_wait: Duration,
    /// `None` where no answer is kept.
    pub(crate) cache: Option<CacheLimits>,
    pub(crate) decode_timeout: Duration,
    pub(crate) decode_memory: Option<u64>,
    pub(crate) lease: Duration,
    pub(crate) retention: Duration,
    pub(crate) max_attempts: u32,
    pub(crate) limits: StoreLimits,
    pub(crate) rate_per_minute: u32,
    pub(crate) upload_within: Duration,
    pub(crate) reserve: Reserve,
    pub(crate) ballast: u64,
    pub(crate) grace: Duration,
    pub(crate) liveness: Duration,
    pub(crate) admin_listen: Option<SocketAddr>,
    pub(crate) log_format: LogSetting,
    pub(crate) log: String,
    pub(crate) otlp_endpoint: Option<Url>,
    pub(crate) otlp_sample_percent: u8,
    pub(crate) danger_open: bool,
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
        let mut layer = layer.merge(args.layer);
        if layer.otlp_endpoint.as_ref().is_none_or(|given| given.text.is_empty()) {
            let standard = args.otel_exporter_otlp_endpoint;
            layer.otlp_endpoint = standard.map(|text| Given { text, source: Source::Environment });
        }
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
        let auth = read!(auth, values::access);
        let allowed_hosts = read!(allowed_hosts, str::parse);
        let tls_cert = read!(tls_cert, values::existing_file);
        let tls_key = read!(tls_key, values::existing_file);
        let data = read!(data, values::path);
        let store = read!(store, values::store);
        let blobs = read!(blobs, values::blobs);
        let models = read!(models, values::existing_folder);
        let default_model = read!(default_model, values::name::<ModelName>);
        let models_poll_ms = read!(models_poll_ms, values::pause_ms);
        let model_memory_mib = read!(model_memory_mib, values::within(16..=16_777_216_u64));
        let ort_lib = read!(ort_lib, values::existing_file);
        let secret_key = read!(secret_key, values::secret_key);
        let secret_key_file = read!(secret_key_file, values::existing_file);
        let webhooks = read!(webhooks, values::truth);
        let provider = read!(provider, values::provider);
        let precision = read!(precision, values::precision);
        let threads = read!(threads, values::within(1..=1024));
        let max_batch = read!(max_batch, values::within(1..=256));
        let batch_wait_ms = read!(batch_wait_ms, values::within(0..=1000));
        let cache_max_entries = read!(cache_max_entries, values::within(0..=100_000_000));
        let cache_ttl_seconds = read!(cache_ttl_seconds, values::within(0..=31_536_000));
        let decode_timeout_seconds = read!(decode_timeout_seconds, values::within(1..=30));
        let decode_memory_mib = read!(decode_memory_mib, values::within(512..=16_777_216_u64));
        let lease_seconds = read!(lease_seconds, values::within(5..=3600));
        let retention_hours = read!(retention_hours, values::within(1..=8760));
        let max_attempts = read!(max_attempts, values::within(1..=20));
        let max_queue_items = read!(max_queue_items, values::within(1..=1_000_000_000));
        let max_tenant_items = read!(max_tenant_items, values::within(1..=1_000_000_000));
        let max_waiting_mib = read!(max_waiting_mib, values::within(1..=1_000_000_000));
        let rate_per_minute = read!(rate_per_minute, values::within(0..=1_000_000));
        let upload_seconds = read!(upload_seconds, values::within(1..=3600));
        let min_free_mib = read!(min_free_mib, values::within(0..=1_000_000_000));
        let ballast_mib = read!(ballast_mib, values::within(0..=65_536));
        let grace_seconds = read!(grace_seconds, values::within(1..=600));
        let liveness_seconds = read!(liveness_seconds, values::within(5..=3600));
        let admin_listen = read!(admin_listen, values::address);
        let log_format = read!(log_format, values::log_format);
        let log = read!(log, values::text);
        let otlp_endpoint = read!(otlp_endpoint, values::collector);
        let otlp_sample_percent = read!(otlp_sample_percent, values::within(0..=100));
        let redis_shards = read!(redis_shards, values::shards);
        let danger_open = read!(danger_open, values::truth);
        let danger_allow_private_networks = read!(danger_allow_private_networks, values::truth);
        let danger_allow_volatile_redis = read!(danger_allow_volatile_redis, values::truth);

        let data = data?;
        let store = store.unwrap_or_else(|| StoreSetting::Sqlite(data.join("aisle.db")));
        let shards = redis_shards.unwrap_or(NonZeroU16::MIN);
        if shards.get() > 1 && matches!(store, StoreSetting::Sqlite(_)) {
            let problem = "redis_shards: only a Redis store has shards, and store is a SQLite file";
            reader.problems.push(problem.to_owned());
        }
        reader.problems.extend(half_of_tls(layer));
        reader.problems.extend(missing_default(models.as_deref(), default_model.as_ref()));
        if provider == Some(None) && precision.is_some() {
            let problem = "precision: with the provider auto, it is found out for each model";
            reader.problems.push(problem.to_owned());
        }
        if secret_key.is_some() && secret_key_file.is_some() {
            let problem = "secret_key and secret_key_file: only one of them can be set";
            reader.problems.push(problem.to_owned());
        }
        Some(Self {
            listen: listen?,
            auth,
            allowed_hosts: allowed_hosts.unwrap_or_default(),
            tls: tls_cert.zip(tls_key).map(|(cert, key)| TlsFiles { cert, key }),
            data,
            store,
            redis_shards: shards,
            blobs: blobs?,
            models,
            default_model,
            models_poll: models_poll_ms?,
            model_memory: model_memory_mib.map(|mib| mib * MIB),
            ort_lib,
            secret_key,
            secret_key_file,
            webhooks,
            provider: provider?.map_or(ProviderChoice::Auto, |provider| {
                ProviderChoice::Named(provider, precision.unwrap_or_default())
            }),
            threads: threads.and_then(NonZeroUsize::new),
            max_batch: NonZeroUsize::new(max_batch?)?,
            batch_wait: Duration::from_millis(batch_wait_ms?),
            cache: cache(cache_max_entries?, cache_ttl_seconds?),
            decode_timeout: Duration::from_secs(decode_timeout_seconds?),
            decode_memory: decode_memory_mib.map(|mib| mib << 20),
            lease: Duration::from_secs(lease_seconds?),
            retention: Duration::from_secs(3600 * retention_hours?),
            max_attempts: max_attempts?,
            limits: StoreLimits {
                items: max_queue_items?,
                tenant_items: max_tenant_items.unwrap_or(u64::MAX),
                upload_bytes: MIB * max_waiting_mib?,
            },
            rate_per_minute: rate_per_minute?,
            upload_within: Duration::from_secs(upload_seconds?),
            reserve: min_free_mib.map_or(Reserve::USUAL, |mib: u64| Reserve::of_bytes(MIB * mib)),
            ballast: MIB * ballast_mib?,
            grace: Duration::from_secs(grace_seconds?),
            liveness: Duration::from_secs(liveness_seconds?),
            admin_listen,
            log_format: log_format?,
            log: log?,
            otlp_endpoint,
            otlp_sample_percent: otlp_sample_percent?,
            danger_open: danger_open?,
            danger_allow_private_networks: danger_allow_private_networks?,
            danger_allow_volatile_redis: danger_allow_volatile_redis?,
        })
    }
}

/// What is kept of answers: nothing where either is nothing.
fn cache(entries: u64, seconds: u64) -> Option<CacheLimits> {
    let ttl = Duration::from_secs(seconds);
    (entries > 0 && seconds > 0).then_some(CacheLimits { ttl, entries })
}

fn half_of_tls(layer: &Layer) -> Option<String> {
    let given = |setting: &Option<Given>| setting.as_ref().is_some_and(|it| !it.text.is_empty());
    match (given(&layer.tls_cert), given(&layer.tls_key)) {
        (true, false) => Some("tls_cert: tls_key must be set too".to_owned()),
        (false, true) => Some("tls_key: tls_cert must be set too".to_owned()),
        (true, true) | (false, false) => None,
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

    fn given(text: &str, source: Source) -> Option<Given> {
        Some(Given { text: text.to_owned(), source })
    }

    fn resolve(file: &str, layer: Layer) -> Result<Settings, Problems> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("aisle.toml");
        std::fs::write(&path, file).unwrap();
        Settings::resolve(SettingsArgs { config: Some(path), layer, ..SettingsArgs::default() })
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
    fn the_standard_variable_names_a_collector_where_the_setting_does_not() {
        let resolve = |own: &str, standard: &str| {
            let layer = Layer { otlp_endpoint: given(own, Source::Flag), ..Layer::default() };
            let standard = Some(standard.to_owned());
            let args = SettingsArgs { config: None, layer, otel_exporter_otlp_endpoint: standard };
            Settings::resolve(args).map(|settings| settings.otlp_endpoint.map(String::from))
        };
        let some = |url: &str| Some(url.to_owned());
        assert_eq!(resolve("", "http://standard:4318").unwrap(), some("http://standard:4318/"));
        assert_eq!(resolve("http://own", "http://standard").unwrap(), some("http://own/"));
        assert_eq!(resolve("", "").unwrap(), None);
        let problem = resolve("http://user:hunter2@own", "").unwrap_err().to_string();
        assert!(problem.contains("--otlp-endpoint") && !problem.contains("hunter2"), "{problem}");
    }

    #[test]
    fn the_embedded_store_is_a_file_in_the_data_folder() {
        let sqlite = resolve("data = \"d\"\n", Layer::default()).unwrap();
        assert_eq!(sqlite.store, StoreSetting::Sqlite("d/aisle.db".into()));
    }

    #[test]
    fn only_a_redis_store_has_shards() {
        let cluster = "store = \"redis+cluster://a,b\"\nredis_shards = 16\n";
        assert_eq!(resolve(cluster, Layer::default()).unwrap().redis_shards.get(), 16);
        let file = resolve("redis_shards = 2\n", Layer::default()).unwrap_err().to_string();
        assert!(file.contains("redis_shards: only a Redis store"), "{file}");
        for wrong in ["0", "1025"] {
            let text = format!("store = \"redis://a\"\nredis_shards = {wrong}\n");
            let error = resolve(&text, Layer::default()).unwrap_err().to_string();
            assert!(error.contains("from 1 to 1024"), "{error}");
        }
    }

    #[test]
    fn a_certificate_and_its_key_come_together() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        std::fs::write(&cert, "").unwrap();
        std::fs::write(&key, "").unwrap();
        let given = |path: &Path| given(path.to_str().unwrap(), Source::Flag);
        let (tls_cert, tls_key) = (given(&cert), given(&key));
        let layer = |tls_cert, tls_key| Layer { tls_cert, tls_key, ..Layer::default() };
        let both = resolve("", layer(tls_cert.clone(), tls_key.clone())).unwrap();
        assert_eq!(both.tls, Some(TlsFiles { cert, key }));
        assert_eq!(resolve("", Layer::default()).unwrap().tls, None);
        for half in [layer(tls_cert, None), layer(None, tls_key)] {
            let problems = resolve("", half).unwrap_err().to_string();
            assert!(problems.contains("must be set too"), "{problems}");
        }
    }

    #[test]
    fn secret_keys_are_read_from_one_place_and_never_repeated() {
        let keys = [MasterKey::generate(), MasterKey::generate()];
        let text = format!("{},{}", *keys[0].reveal(), *keys[1].reveal());
        let settings = resolve(&format!("secret_key = \"{text}\"\n"), Layer::default()).unwrap();
        assert_eq!(settings.secret_key.as_deref(), Some(&keys[..]));
        assert!(!format!("{settings:?}").contains(&text[..10]));

        let file = tempfile::NamedTempFile::new().unwrap();
        let layer = || Layer {
            secret_key_file: given(file.path().to_str().unwrap(), Source::Flag),
            ..Layer::default()
        };
        assert!(resolve("", layer()).unwrap().secret_key_file.is_some());
        let both = resolve(&format!("secret_key = \"{text}\"\n"), layer()).unwrap_err();
        assert!(both.to_string().contains("only one of them"), "{both}");
        let bad = resolve("secret_key = \"hunter2\"\n", Layer::default()).unwrap_err();
        assert!(!bad.to_string().contains("hunter2"), "{bad}");
    }

    #[test]
    fn a_provider_is_named_with_its_precision_or_found_out_with_it() {
        use aisle_worker::{Precision, Provider};

        let provider = |file| resolve(file, Layer::default()).map(|settings| settings.provider);
        let named = ProviderChoice::Named(Provider::OpenVino, Precision::Bf16);
        let text = "provider = \"openvino\"\nprecision = \"bf16\"\n";
        assert_eq!(provider(text).unwrap(), named);
        assert_eq!(provider("provider = \"auto\"\n").unwrap(), ProviderChoice::Auto);
        assert_eq!(provider("").unwrap(), ProviderChoice::default());
        let both = provider("provider = \"auto\"\nprecision = \"bf16\"\n").unwrap_err();
        assert!(both.to_string().contains("precision"), "{both}");
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

//! Every setting, once: its name, what it means, its default. The same struct
//! is read from flags, from the environment and from the settings file.
//!
//! `aisle.example.toml` is this struct rendered; a test keeps it so.

use clap::{Args, Command, FromArgMatches};
use serde::Deserialize;

use super::given::{Given, GivenParser, Source};

/// What one source says. Flags are named like the fields (`--max-batch`), and
/// so are variables (`AISLE_MAX_BATCH`). An empty text means "not set".
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields)]
#[command(next_help_heading = "Settings")]
pub(crate) struct Layer {
    /// Address and port on which the API listens.
    #[arg(long, env = "AISLE_LISTEN", value_name = "ADDRESS:PORT")]
    #[arg(value_parser = GivenParser, default_value = "127.0.0.1:8080")]
    pub(crate) listen: Option<Given>,

    /// Who may call: `keys` for those with an API key (`aisle keys create`
    /// makes one), `open` for anyone. Without it, `open` while the API listens
    /// on a loopback address and there is no key, else `keys`.
    #[arg(long, env = "AISLE_AUTH", value_name = "WHO")]
    #[arg(value_parser = GivenParser)]
    pub(crate) auth: Option<Given>,

    /// Names under which the API may be called while it asks for no key, with
    /// commas between them; `.example.com` stands for every name below it. IP
    /// addresses, `localhost` and names without a dot need not be named.
    #[arg(long, env = "AISLE_ALLOWED_HOSTS", value_name = "NAMES", hide_short_help = true)]
    #[arg(value_parser = GivenParser)]
    pub(crate) allowed_hosts: Option<Given>,

    /// Certificate with which the API serves HTTPS, in PEM format, followed
    /// by those that lead to its root. Without it, HTTP is plain.
    #[arg(long, env = "AISLE_TLS_CERT", value_name = "FILE", hide_short_help = true)]
    #[arg(value_parser = GivenParser)]
    pub(crate) tls_cert: Option<Given>,

    /// Private key of the certificate, in PEM format.
    #[arg(long, env = "AISLE_TLS_KEY", value_name = "FILE", hide_short_help = true)]
    #[arg(value_parser = GivenParser)]
    pub(crate) tls_key: Option<Given>,

    /// Where jobs are kept: `sqlite:PATH` for one host, `redis://…`,
    /// `rediss://…` or `redis+unix://…` for many, `redis+cluster://A,B,C` or
    /// `rediss+cluster://A,B,C` with some nodes of a Redis Cluster. Without it,
    /// `sqlite:` with the file `aisle.db` in the data folder. A Redis URL may
    /// hold a password: it is never printed.
    #[arg(long, env = "AISLE_STORE", value_name = "STORE", hide_env_values = true)]
    #[arg(value_parser = GivenParser)]
    pub(crate) store: Option<Given>,

    /// Into how many shards a Redis store is parted, 1 to 1024, the same in
    /// every process. A cluster spreads shards over its nodes: give it four or
    /// more for each. Only a store without jobs takes another number.
    #[arg(long, env = "AISLE_REDIS_SHARDS", value_name = "NUMBER", hide_short_help = true)]
    #[arg(value_parser = GivenParser, default_value = "1")]
    pub(crate) redis_shards: Option<Given>,

    /// Folder for the files of the service: the embedded store and uploads.
    #[arg(long, env = "AISLE_DATA", value_name = "FOLDER")]
    #[arg(value_parser = GivenParser, default_value = "data")]
    pub(crate) data: Option<Given>,

    /// Folder of model folders, each a Hugging Face image-classification
    /// model as downloaded. Every model in it is served, also one that is put
    /// there or replaced while a worker runs. Without it, `models` in the
    /// working folder, if it is there.
    #[arg(long, env = "AISLE_MODELS", value_name = "FOLDER")]
    #[arg(value_parser = GivenParser)]
    pub(crate) models: Option<Given>,

    /// Model of jobs that name none. Without it, the first by name.
    #[arg(long, env = "AISLE_DEFAULT_MODEL", value_name = "NAME")]
    #[arg(value_parser = GivenParser)]
    pub(crate) default_model: Option<Given>,

    /// Milliseconds between two looks of a worker at its models folder, 100 to
    /// 3600000; 0 for none: then it serves what was there at its start.
    #[arg(long, env = "AISLE_MODELS_POLL_MS", value_name = "NUMBER", hide_short_help = true)]
    #[arg(value_parser = GivenParser, default_value = "2000")]
    pub(crate) models_poll_ms: Option<Given>,

    /// Mebibytes that networks may take in a worker, 16 or more. The one that
    /// has not run for longest makes room for others, and is loaded again when
    /// images for it come; the default model's stays. Without it, all stay.
    #[arg(long, env = "AISLE_MODEL_MEMORY_MIB", value_name = "NUMBER", hide_short_help = true)]
    #[arg(value_parser = GivenParser)]
    pub(crate) model_memory_mib: Option<Given>,

    /// The ONNX Runtime library, version 1.24 or newer. Without it, the
    /// library in `.runtime/onnxruntime` of the working folder or beside the
    /// program, else the one in the system's library folders.
    #[arg(long, env = "AISLE_ORT_LIB", value_name = "FILE")]
    #[arg(value_parser = GivenParser)]
    pub(crate) ort_lib: Option<Given>,

    /// Where uploaded images wait for a worker: `store`, beside the jobs (over
    /// SQLite, those above 256 KiB are files), or `files` in the data folder, which
    /// api and worker must share then.
    #[arg(long, env = "AISLE_BLOBS", value_name = "KIND", hide_short_help = true)]
    #[arg(value_parser = GivenParser, default_value = "store")]
    pub(crate) blobs: Option<Given>,

    /// What seals secrets in the store: the base64 of 32 random bytes, as
    /// `openssl rand -base64 32` makes, the same in every process. Several
    /// with commas between them: the first seals, all open. Without it, made
    /// once as `secret.key` in the data folder for a SQLite store; with a
    /// Redis store there are no webhooks then.
    #[arg(long, env = "AISLE_SECRET_KEY", value_name = "KEYS", hide_env_values = true)]
    #[arg(value_parser = GivenParser, hide_short_help = true)]
    pub(crate) secret_key: Option<Given>,

    /// File with what `secret_key` would say.
    #[arg(long, env = "AISLE_SECRET_KEY_FILE", value_name = "FILE", hide_short_help = true)]
    #[arg(value_parser = GivenParser)]
    pub(crate) secret_key_file: Option<Given>,

    /// Whether this process sends webhooks. Without it, `true` for `serve` and
    /// `worker`, and `false` for `api`, whose host may have no way out.
    #[arg(long, env = "AISLE_WEBHOOKS", value_name = "TRUTH", hide_short_help = true)]
    #[arg(value_parser = GivenParser)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) webhooks: Option<Given>,

    /// Where networks run: `cpu`; `openvino` with the library of the
    /// `onnxruntime-openvino` wheel; `cuda` or `tensorrt` with that of the
    /// `onnxruntime-gpu` wheel. A worker that cannot have what is named does
    /// not start. `auto` tries for each model what the library offers and
    /// takes the fastest that agrees with `cpu`; the choice is remembered in
    /// the data folder, and `aisle tune` makes it before.
    #[arg(long, env = "AISLE_PROVIDER", value_name = "NAME", hide_short_help = true)]
    #[arg(value_parser = GivenParser, default_value = "cpu")]
    pub(crate) provider: Option<Given>,

    /// What the provider calculates in: `fp32`, `bf16` or `fp16`, where it can.
    /// Answers are not checked: try `aisle tune` first. Without it, `fp32`;
    /// with the provider `auto`, what is found out.
    #[arg(long, env = "AISLE_PRECISION", value_name = "NAME", hide_short_help = true)]
    #[arg(value_parser = GivenParser)]
    pub(crate) precision: Option<Given>,

    /// Threads that decode and infer, 1 to 1024. Without it, as many as the
    /// processors that this process may use.
    #[arg(long, env = "AISLE_THREADS", value_name = "NUMBER", hide_short_help = true)]
    #[arg(value_parser = GivenParser)]
    pub(crate) threads: Option<Given>,

    /// Images that share one run of the network at most, 1 to 256; how many are
    /// best is learned from what they cost.
    #[arg(long, env = "AISLE_MAX_BATCH", value_name = "NUMBER", hide_short_help = true)]
    #[arg(value_parser = GivenParser, default_value = "8")]
    pub(crate) max_batch: Option<Given>,

    /// Milliseconds that the first image of a batch may wait for others when
    /// the network is free, 0 to 1000.
    #[arg(long, env = "AISLE_BATCH_WAIT_MS", value_name = "NUMBER", hide_short_help = true)]
    #[arg(value_parser = GivenParser, default_value = "2")]
    pub(crate) batch_wait_ms: Option<Given>,

    /// Answers that are kept for pictures that come again, so that they are not
    /// classified anew, up to 100000000; the oldest go first, and 0 is for
    /// none. In Redis one takes about half a kilobyte.
    #[arg(long, env = "AISLE_CACHE_MAX_ENTRIES", value_name = "NUMBER")]
    #[arg(value_parser = GivenParser, default_value = "100000", hide_short_help = true)]
    pub(crate) cache_max_entries: Option<Given>,

    /// Seconds for which an answer is kept, up to 31536000; 0 for none.
    #[arg(long, env = "AISLE_CACHE_TTL_SECONDS", value_name = "NUMBER")]
    #[arg(value_parser = GivenParser, default_value = "604800", hide_short_help = true)]
    pub(crate) cache_ttl_seconds: Option<Given>,

    /// Seconds that an image may take to be decoded, 1 to 30; then it fails
    /// with `decode_timeout`.
    #[arg(long, env = "AISLE_DECODE_TIMEOUT_SECONDS", value_name = "NUMBER")]
    #[arg(value_parser = GivenParser, default_value = "5", hide_short_help = true)]
    pub(crate) decode_timeout_seconds: Option<Given>,

    /// Mebibytes that images may take together while they are decoded, 512 or
    /// more; what does not fit waits. Without it, half of the memory that
    /// this process may use.
    #[arg(long, env = "AISLE_DECODE_MEMORY_MIB", value_name = "NUMBER")]
    #[arg(value_parser = GivenParser, hide_short_help = true)]
    pub(crate) decode_memory_mib: Option<Given>,

    /// Seconds after which an image of a worker that died is given to
    /// another, 5 to 3600. A living worker renews its leases in time.
    #[arg(long, env = "AISLE_LEASE_SECONDS", value_name = "NUMBER", hide_short_help = true)]
    #[arg(value_parser = GivenParser, default_value = "10")]
    pub(crate) lease_seconds: Option<Given>,

    /// Hours for which a job can be read after it has ended, 1 to 8760.
    #[arg(long, env = "AISLE_RETENTION_HOURS", value_name = "NUMBER", hide_short_help = true)]
    #[arg(value_parser = GivenParser, default_value = "168")]
    pub(crate) retention_hours: Option<Given>,

    /// Times that an image is tried before it is given up, 1 to 20.
    #[arg(long, env = "AISLE_MAX_ATTEMPTS", value_name = "NUMBER", hide_short_help = true)]
    #[arg(value_parser = GivenParser, default_value = "5")]
    pub(crate) max_attempts: Option<Given>,

    /// Images that may wait or run at once, over all jobs. More are refused
    /// until some have ended.
    #[arg(long, env = "AISLE_MAX_QUEUE_ITEMS", value_name = "NUMBER", hide_short_help = true)]
    #[arg(value_parser = GivenParser, default_value = "1000000")]
    pub(crate) max_queue_items: Option<Given>,

    /// Images of one tenant that may wait or run at once. Without it, as many
    /// as of all tenants together.
    #[arg(long, env = "AISLE_MAX_TENANT_ITEMS", value_name = "NUMBER", hide_short_help = true)]
    #[arg(value_parser = GivenParser)]
    pub(crate) max_tenant_items: Option<Given>,

    /// Mebibytes of uploaded images that may wait or run at once, over all
    /// jobs, 1 to 1000000000.
    #[arg(long, env = "AISLE_MAX_WAITING_MIB", value_name = "NUMBER", hide_short_help = true)]
    #[arg(value_parser = GivenParser, default_value = "16384")]
    pub(crate) max_waiting_mib: Option<Given>,

    /// Jobs that one tenant may submit a minute, up to 1000000; 0 for as many
    /// as it likes.
    #[arg(long, env = "AISLE_RATE_PER_MINUTE", value_name = "NUMBER", hide_short_help = true)]
    #[arg(value_parser = GivenParser, default_value = "0")]
    pub(crate) rate_per_minute: Option<Given>,

    /// Seconds within which a request's body must have come, 1 to 3600.
    #[arg(long, env = "AISLE_UPLOAD_SECONDS", value_name = "NUMBER", hide_short_help = true)]
    #[arg(value_parser = GivenParser, default_value = "60")]
    pub(crate) upload_seconds: Option<Given>,

    /// Mebibytes of a disk that new jobs leave free: of the embedded store's,
    /// and of that of uploads in files. Without it, 1024 or 5 % of the disk,
    /// whichever is more; 0 for none.
    #[arg(long, env = "AISLE_MIN_FREE_MIB", value_name = "NUMBER", hide_short_help = true)]
    #[arg(value_parser = GivenParser)]
    pub(crate) min_free_mib: Option<Given>,

    /// Mebibytes of a file beside the embedded store that is emptied when the
    /// disk is full, so that work can still end, up to 65536; 0 for none.
    #[arg(long, env = "AISLE_BALLAST_MIB", value_name = "NUMBER", hide_short_help = true)]
    #[arg(value_parser = GivenParser, default_value = "64")]
    pub(crate) ballast_mib: Option<Given>,

    /// Seconds that a stopping process gives the work in hand before it
    /// hands it back, 1 to 600.
    #[arg(long, env = "AISLE_GRACE_SECONDS", value_name = "NUMBER", hide_short_help = true)]
    #[arg(value_parser = GivenParser, default_value = "20")]
    pub(crate) grace_seconds: Option<Given>,

    /// Seconds without an answer of the store to a worker's claims after which
    /// `/health/live` says that the worker has to be started anew, 5 to 3600.
    #[arg(long, env = "AISLE_LIVENESS_SECONDS", value_name = "NUMBER", hide_short_help = true)]
    #[arg(value_parser = GivenParser, default_value = "30")]
    pub(crate) liveness_seconds: Option<Given>,

    /// Address and port for administrators: `/health/live`, `/health/ready`
    /// and `/metrics`, in plain HTTP and without a key, so keep it on a network
    /// of your own. Without it, a worker alone listens nowhere, and the API
    /// shows `/metrics` to keys with the scope `admin`, or to anyone where no
    /// key is needed and it listens on a loopback address.
    #[arg(long, env = "AISLE_ADMIN_LISTEN", value_name = "ADDRESS:PORT")]
    #[arg(value_parser = GivenParser, hide_short_help = true)]
    pub(crate) admin_listen: Option<Given>,

    /// How logs are written, on standard error: `text` or `json`.
    #[arg(long, env = "AISLE_LOG_FORMAT", value_name = "FORMAT", hide_short_help = true)]
    #[arg(value_parser = GivenParser, default_value = "text")]
    pub(crate) log_format: Option<Given>,

    /// What is logged: a level, or levels by module, such as
    /// `warn,aisle_worker=debug`.
    #[arg(long, env = "AISLE_LOG", value_name = "FILTER", hide_short_help = true)]
    #[arg(value_parser = GivenParser, default_value = "info,actix_server=warn,ort=warn")]
    pub(crate) log: Option<Given>,

    /// DANGER: let anyone call without a key although the API does not listen
    /// on a loopback address. For containers whose port is published on one.
    #[arg(long, env = "AISLE_DANGER_OPEN", value_name = "TRUTH")]
    #[arg(value_parser = GivenParser, default_value = "false", hide_short_help = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) danger_open: Option<Given>,
    /// Base address of an OpenTelemetry collector that takes traces as OTLP
    /// over HTTP, such as `http://127.0.0.1:4318`. Without it, the variable
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, else nothing is traced.
    #[arg(long, env = "AISLE_OTLP_ENDPOINT", value_name = "URL", hide_short_help = true)]
    #[arg(value_parser = GivenParser)]
    pub(crate) otlp_endpoint: Option<Given>,

    /// Requests of a hundred that are traced when they bring no decision of
    /// their own (`traceparent`), 0 to 100.
    #[arg(long, env = "AISLE_OTLP_SAMPLE_PERCENT", value_name = "NUMBER")]
    #[arg(value_parser = GivenParser, default_value = "100", hide_short_help = true)]
    pub(crate) otlp_sample_percent: Option<Given>,

    /// DANGER: fetch image URLs from loopback, private and other special
    /// addresses and from any port, and send webhooks there, unencrypted too.
    /// A caller can then reach what this host can reach. For shops whose image
    /// host is on their own network.
    #[arg(long, env = "AISLE_DANGER_ALLOW_PRIVATE_NETWORKS", value_name = "TRUTH")]
    #[arg(value_parser = GivenParser, default_value = "false", hide_short_help = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) danger_allow_private_networks: Option<Given>,

    /// DANGER: accept a Redis that loses its jobs in a restart (append-only
    /// file off).
    #[arg(long, env = "AISLE_DANGER_ALLOW_VOLATILE_REDIS", value_name = "TRUTH")]
    #[arg(value_parser = GivenParser, default_value = "false", hide_short_help = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) danger_allow_volatile_redis: Option<Given>,
}

impl Layer {
    /// What holds where nothing else is said.
    pub(crate) fn defaults() -> Self {
        // Neither flags nor the environment are read, so nothing can fail.
        let command = Self::augment_args(Command::new("defaults"))
            .no_binary_name(true)
            .mut_args(|arg| arg.env(None::<&str>));
        let matches = command.try_get_matches_from(None::<&str>);
        matches.and_then(|matches| Self::from_arg_matches(&matches)).unwrap_or_default()
    }

    /// This layer where it is stronger, `other` where that is.
    pub(crate) fn merge(self, other: Self) -> Self {
        macro_rules! stronger_of {
            ($($field:ident)*) => {
                Self { $($field: stronger(self.$field, other.$field)),* }
            };
        }
        stronger_of! {
            listen auth allowed_hosts tls_cert tls_key store redis_shards data models default_model models_poll_ms model_memory_mib ort_lib blobs secret_key secret_key_file
            webhooks provider precision threads max_batch
            batch_wait_ms cache_max_entries cache_ttl_seconds decode_timeout_seconds decode_memory_mib lease_seconds retention_hours max_attempts max_queue_items
            max_tenant_items max_waiting_mib rate_per_minute upload_seconds min_free_mib
            ballast_mib grace_seconds liveness_seconds
            admin_listen log_format log otlp_endpoint otlp_sample_percent danger_open
            danger_allow_private_networks
            danger_allow_volatile_redis
        }
    }
}

/// An empty text counts as the weakest: it lets the default through.
fn stronger(one: Option<Given>, other: Option<Given>) -> Option<Given> {
    let strength = |given: &Given| {
        if given.text.is_empty() { Source::Default } else { given.source }
    };
    match (one, other) {
        (Some(one), Some(other)) if strength(&other) > strength(&one) => Some(other),
        (Some(one), _) => Some(one),
        (None, other) => other,
    }
}

//! Texts to values, one function for each kind. Errors say what a value must
//! be and never repeat it: it may hold a password.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use aisle_api::Access;
use aisle_shared::webhook::MasterKey;
use aisle_worker::{Precision, Provider};
use url::Url;

/// Where jobs are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoreSetting {
    /// In this SQLite file.
    Sqlite(PathBuf),
    /// In this Redis.
    Redis(RedisUrl),
}

/// Where uploads are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlobsSetting {
    /// In the store, beside the jobs.
    Store,
    /// As files in the data folder.
    Files,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogSetting {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// A Redis URL, which may hold a password and so hides all but the host.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RedisUrl(String);

impl RedisUrl {
    /// The URL with its secrets, for the connection only.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or_default();
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        write!(f, "{scheme}://{host}")
    }
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let local = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    local
        .map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
        .or_else(|| text.parse().ok())
        .ok_or_else(|| "must be an IP address and a port, such as 127.0.0.1:8080".to_owned())
}

pub(super) fn store(text: &str) -> Result<StoreSetting, String> {
    let rule = || {
        "must be sqlite:PATH, redis://HOST:PORT, rediss://HOST:PORT, or \
         redis+cluster://HOST:PORT,HOST:PORT with nodes of a cluster"
            .to_owned()
    };
    let (scheme, rest) = text.split_once(':').ok_or_else(rule)?;
    match scheme {
        "sqlite" if !rest.is_empty() => Ok(StoreSetting::Sqlite(rest.into())),
        "redis" | "rediss" | "redis+unix" | "redis+cluster" | "rediss+cluster"
            if rest.len() > 2 && rest.starts_with("//") =>
        {
            Ok(StoreSetting::Redis(RedisUrl(text.to_owned())))
        }
        _ => Err(rule()),
    }
}

pub(super) fn blobs(text: &str) -> Result<BlobsSetting, String> {
    match text {
        "store" => Ok(BlobsSetting::Store),
        "files" => Ok(BlobsSetting::Files),
        _ => Err("must be store or files".to_owned()),
    }
}

pub(super) fn access(text: &str) -> Result<Access, String> {
    match text {
        "keys" => Ok(Access::Keys),
        "open" => Ok(Access::Open),
        _ => Err("must be keys or open".to_owned()),
    }
}

pub(super) fn secret_key(text: &str) -> Result<Vec<MasterKey>, String> {
    MasterKey::parse_list(text).map_err(|error| format!("must be one key or more: {error}"))
}

/// `None` is `auto`.
pub(super) fn provider(text: &str) -> Result<Option<Provider>, String> {
    match text {
        "auto" => Ok(None),
        "cpu" => Ok(Some(Provider::Cpu)),
        "openvino" => Ok(Some(Provider::OpenVino)),
        "cuda" => Ok(Some(Provider::Cuda)),
        "tensorrt" => Ok(Some(Provider::TensorRt)),
        _ => Err("must be cpu, openvino, cuda, tensorrt or auto".to_owned()),
    }
}

pub(super) fn precision(text: &str) -> Result<Precision, String> {
    match text {
        "fp32" => Ok(Precision::Fp32),
        "bf16" => Ok(Precision::Bf16),
        "fp16" => Ok(Precision::Fp16),
        _ => Err("must be fp32, bf16 or fp16".to_owned()),
    }
}

pub(super) fn log_format(text: &str) -> Result<LogSetting, String> {
    match text {
        "text" => Ok(LogSetting::Text),
        "json" => Ok(LogSetting::Json),
        _ => Err("must be text or json".to_owned()),
    }
}

pub(super) fn truth(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// Milliseconds, 0 for never.
pub(super) fn pause_ms(text: &str) -> Result<Option<Duration>, String> {
    match text.trim().parse::<u64>() {
        Ok(0) => Ok(None),
        Ok(pause @ 100..=3_600_000) => Ok(Some(Duration::from_millis(pause))),
        Ok(_) | Err(_) => Err("must be a whole number from 100 to 3600000, or 0".to_owned()),
    }
}

pub(super) fn within<N>(range: RangeInclusive<N>) -> impl Fn(&str) -> Result<N, String>
where
    N: FromStr + PartialOrd + fmt::Display,
{
    move |text| match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        Ok(_) | Err(_) => {
            Err(format!("must be a whole number from {} to {}", range.start(), range.end()))
        }
    }
}

pub(super) fn shards(text: &str) -> Result<NonZeroU16, String> {
    within(NonZeroU16::MIN..=NonZeroU16::MIN.saturating_add(1023))(text)
}

/// A trace collector's base address. Secrets go into the variable
/// `OTEL_EXPORTER_OTLP_HEADERS`, never into the address, which is logged.
pub(super) fn collector(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
    });
    url.ok_or_else(|| "must be an http:// or https:// address without user or query".to_owned())
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    Ok(text.into())
}

pub(super) fn existing_folder(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() { Ok(path) } else { Err(format!("there is no folder {text}")) }
}

pub(super) fn existing_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_file() { Ok(path) } else { Err(format!("there is no file {text}")) }
}

pub(super) fn name<N: FromStr<Err: fmt::Display>>(text: &str) -> Result<N, String> {
    text.parse().map_err(|error: N::Err| error.to_string())
}

pub(super) fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_url_shows_its_host_and_no_secret() {
        for (url, shown) in [
            ("redis://cache:6379/0", "redis://cache:6379"),
            ("rediss://user:p@ss@cache:6379?protocol=resp3", "rediss://cache:6379"),
            ("redis://:hunter2@[::1]:6379", "redis://[::1]:6379"),
            ("rediss+cluster://u:p@a:1,b:2/", "rediss+cluster://a:1,b:2"),
        ] {
            assert_eq!(format!("{}", RedisUrl(url.to_owned())), shown);
            assert_eq!(format!("{:?}", RedisUrl(url.to_owned())), shown);
        }
    }

    #[test]
    fn a_store_is_a_sqlite_file_or_a_redis_url() {
        assert_eq!(store("sqlite:a/b.db"), Ok(StoreSetting::Sqlite("a/b.db".into())));
        assert!(matches!(store("rediss://cache"), Ok(StoreSetting::Redis(_))));
        assert!(matches!(store("redis+cluster://a:1,b:2"), Ok(StoreSetting::Redis(_))));
        for bad in ["", "sqlite", "sqlite:", "redis:", "redis://", "postgres://x", "a/b.db"] {
            assert!(store(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn localhost_is_the_loopback_address() {
        assert_eq!(address("localhost:81"), address("127.0.0.1:81"));
        assert!(address("localhost").is_err());
        assert!(address("example.org:80").is_err());
    }

    #[test]
    fn a_number_keeps_to_its_range() {
        let parse = within(1..=8_u32);
        assert_eq!(parse("8"), Ok(8));
        for bad in ["0", "9", "-1", "x", "4294967297"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}

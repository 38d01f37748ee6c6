//! Who may call, decided before the first one can.
//!
//! What must never happen: an API that anyone can reach and use because
//! nobody thought of keys.

use std::fs;
use std::net::IpAddr;

use aisle_api::{Access, Tls};
use aisle_shared::domain::{KeyState, Timestamp};
use aisle_shared::store::Store;
use anyhow::{Context, bail};

use crate::settings::{Settings, TlsFiles};

/// Who may call.
///
/// # Errors
/// Where others than this machine can reach the API: when it is to be open
/// and nobody said so twice, or when there is no key yet.
pub(super) async fn decide(settings: &Settings, store: &dyn Store) -> anyhow::Result<Access> {
    let has_key = has_key(store).await.context("the API keys")?;
    let access = choose(settings, has_key);
    let address = settings.listen;
    let private = is_private(settings);
    match access {
        Access::Open if !private && !settings.danger_open => bail!(
            "anyone who can reach {address} (AISLE_LISTEN) could use this service: take \
             AISLE_AUTH=open away and make a key with `aisle keys create --name NAME`, or listen \
             on 127.0.0.1, or, if only you can reach it, set AISLE_DANGER_OPEN=true"
        ),
        Access::Keys if !private && !has_key => bail!(
            "there is no API key yet, and {address} (AISLE_LISTEN) is not for this machine alone: \
             make a key with `aisle keys create --name NAME` under the same settings, or listen \
             on 127.0.0.1, or, if only you can reach it, set AISLE_DANGER_OPEN=true"
        ),
        Access::Open if !private => tracing::warn!(
            %address, "ANYONE who can reach this address can use the service: no key is asked for"
        ),
        Access::Keys if !has_key => {
            tracing::warn!("nobody can call yet: make a key with `aisle keys create --name NAME`");
        }
        Access::Keys | Access::Open => {}
    }
    if access == Access::Keys && !private && settings.tls.is_none() {
        tracing::warn!(
            %address, "keys and images are not encrypted on their way: set AISLE_TLS_CERT, or put \
             a proxy in front that serves HTTPS"
        );
    }
    Ok(access)
}

/// What was said; else open, as long as there is no key and nobody else can
/// come, or it was said that this is meant so.
fn choose(settings: &Settings, has_key: bool) -> Access {
    let alone = is_private(settings) && !has_key;
    settings.auth.unwrap_or(if alone || settings.danger_open { Access::Open } else { Access::Keys })
}

/// Whether callers find metrics where the API listens: not beside a listener
/// for administrators, and not where anyone could read them from afar.
pub(super) fn shows_metrics(settings: &Settings, access: Access) -> bool {
    settings.admin_listen.is_none() && (access == Access::Keys || is_private(settings))
}

/// The certificate to serve HTTPS with.
///
/// # Errors
/// When the files cannot be read or do not belong together.
pub(super) fn tls(files: Option<&TlsFiles>) -> anyhow::Result<Option<Tls>> {
    let Some(TlsFiles { cert, key }) = files else { return Ok(None) };
    let certificates =
        fs::read(cert).with_context(|| format!("{} (AISLE_TLS_CERT)", cert.display()))?;
    let key = fs::read(key).with_context(|| format!("{} (AISLE_TLS_KEY)", key.display()))?;
    let tls =
        Tls::from_pem(&certificates, &key).context("HTTPS (AISLE_TLS_CERT, AISLE_TLS_KEY)")?;
    Ok(Some(tls))
}

async fn has_key(store: &dyn Store) -> anyhow::Result<bool> {
    let now = Timestamp::now();
    Ok(store.keys().await?.iter().any(|key| key.state(now) == KeyState::Active))
}

/// Whether only this machine can reach the API.
fn is_private(settings: &Settings) -> bool {
    let address: IpAddr = settings.listen.ip();
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Layer, SettingsArgs};

    fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
        let args = SettingsArgs {
            otel_exporter_otlp_endpoint: None,
            config: None,
            layer: Layer::default(),
        };
        let mut settings = Settings::resolve(args).unwrap();
        change(&mut settings);
        settings
    }

    fn public(change: impl FnOnce(&mut Settings)) -> Settings {
        settings(|settings| {
            settings.listen = "0.0.0.0:8080".parse().unwrap();
            change(settings);
        })
    }

    #[test]
    fn keys_are_asked_for_unless_only_this_machine_can_call_and_none_was_made() {
        assert_eq!(choose(&settings(|_| ()), false), Access::Open);
        assert_eq!(choose(&settings(|_| ()), true), Access::Keys);
        for has_key in [false, true] {
            assert_eq!(choose(&public(|_| ()), has_key), Access::Keys);
            assert_eq!(choose(&public(|it| it.danger_open = true), has_key), Access::Open);
            let said = settings(|it| it.auth = Some(Access::Open));
            assert_eq!(choose(&said, has_key), Access::Open);
            let both = public(|it| {
                it.auth = Some(Access::Keys);
                it.danger_open = true;
            });
            assert_eq!(choose(&both, has_key), Access::Keys);
        }
    }

    #[test]
    fn metrics_are_shown_to_those_who_may_see_them() {
        assert!(shows_metrics(&settings(|_| ()), Access::Open));
        assert!(shows_metrics(&public(|_| ()), Access::Keys));
        assert!(!shows_metrics(&public(|_| ()), Access::Open));
        let apart = settings(|it| it.admin_listen = Some("127.0.0.1:9090".parse().unwrap()));
        assert!(!shows_metrics(&apart, Access::Open) && !shows_metrics(&apart, Access::Keys));
    }
}

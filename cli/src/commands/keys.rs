//! `aisle keys`: who may call. A key is printed once, alone on standard
//! output; everything else goes to standard error.

use std::sync::Arc;

use aisle_shared::domain::{ApiKey, KeyId, KeyState, KeyText, NewApiKey, Timestamp};
use aisle_shared::store::{Store, StoreError};
use anyhow::{Context, anyhow};
use serde::Serialize;

use crate::args::{CreateKeyArgs, KeysCommand, ListKeysArgs, PurgeKeysArgs, RevokeKeyArgs};
use crate::output;
use crate::settings::{Settings, SettingsArgs};
use crate::wiring;

/// Characters of a name at most.
const MAX_NAME_CHARS: usize = 100;

/// A line of the list.
#[derive(Debug, Serialize)]
struct Listed {
    id: String,
    name: String,
    tenant: String,
    scopes: Vec<String>,
    weight: u32,
    rate_per_minute: Option<u32>,
    created_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    last_used_on: Option<String>,
    state: &'static str,
}

/// Does what was asked with keys.
pub(crate) async fn run(command: KeysCommand) -> anyhow::Result<()> {
    match command {
        KeysCommand::Create(args) => create(args).await,
        KeysCommand::List(args) => list(args).await,
        KeysCommand::Revoke(args) => revoke(args).await,
        KeysCommand::Purge(args) => purge(args).await,
    }
}

async fn create(args: CreateKeyArgs) -> anyhow::Result<()> {
    let name = name(&args.name)?;
    let store = store(args.settings).await?;
    let text = KeyText::generate();
    let key = NewApiKey {
        id: text.id().clone(),
        hash: text.hash(),
        name,
        tenant: args.tenant,
        scopes: args.scopes,
        lifetime: args.expires,
        weight: args.weight,
        rate_per_minute: args.rate,
    };
    let kept = store.put_key(&key).await.context("the key could not be kept")?;
    output::answer(&text.reveal())?;
    let until = kept.expires_at.map_or_else(String::new, |end| format!(", until {}", time(end)));
    output::remark(&format!(
        "key {} of tenant {} for {}{until}: it is not shown again",
        kept.id, kept.tenant, kept.scopes
    ))?;
    Ok(())
}

async fn list(args: ListKeysArgs) -> anyhow::Result<()> {
    let keys = store(args.settings).await?.keys().await?;
    let listed: Vec<Listed> = keys.iter().map(listed).collect();
    if args.json {
        output::answer(&serde_json::to_string_pretty(&listed)?)?;
    } else {
        output::answer(&table(listed))?;
    }
    Ok(())
}

async fn revoke(args: RevokeKeyArgs) -> anyhow::Result<()> {
    // Someone may have put the whole key here: it is not repeated.
    let id: KeyId = args.id.parse().context("`aisle keys list` shows the ids")?;
    let store = store(args.settings).await?;
    match store.revoke_key(&id).await {
        Ok(()) => Ok(output::remark(&format!("key {id} is revoked"))?),
        Err(StoreError::NotFound) => Err(anyhow!("there is no key {id}")),
        Err(error) => Err(error.into()),
    }
}

async fn purge(args: PurgeKeysArgs) -> anyhow::Result<()> {
    let purged = store(args.settings).await?.purge_keys(args.ended_before).await?;
    output::answer(&format!("{purged} keys are forgotten"))?;
    Ok(())
}

async fn store(args: SettingsArgs) -> anyhow::Result<Arc<dyn Store>> {
    let settings = Settings::resolve(args)?;
    Ok(wiring::open(&settings).await?.store)
}

fn name(text: &str) -> anyhow::Result<String> {
    let sane = !text.trim().is_empty()
        && text.chars().count() <= MAX_NAME_CHARS
        && !text.chars().any(char::is_control);
    if sane {
        Ok(text.to_owned())
    } else {
        Err(anyhow!("--name must be a line of 1 to {MAX_NAME_CHARS} characters"))
    }
}

fn listed(key: &ApiKey) -> Listed {
    let scopes = key.scopes.to_string();
    Listed {
        id: key.id.to_string(),
        name: key.name.clone(),
        tenant: key.tenant.to_string(),
        scopes: scopes.split(',').map(str::to_owned).collect(),
        weight: key.weight,
        rate_per_minute: key.rate_per_minute,
        created_at: time(key.created_at),
        expires_at: key.expires_at.map(time),
        revoked_at: key.revoked_at.map(time),
        last_used_on: key.last_used_on.map(day),
        state: match key.state(Timestamp::now()) {
            KeyState::Active => "active",
            KeyState::Expired => "expired",
            KeyState::Revoked => "revoked",
        },
    }
}

fn table(listed: Vec<Listed>) -> String {
    let none = || "–".to_owned();
    let rows: Vec<_> = listed
        .into_iter()
        .map(|key| {
            [
                key.id,
                key.name,
                key.tenant,
                key.scopes.join(","),
                key.weight.to_string(),
                key.rate_per_minute.map_or_else(none, |rate| format!("{rate}/min")),
                key.expires_at.unwrap_or_else(none),
                key.last_used_on.unwrap_or_else(none),
                key.state.to_owned(),
            ]
        })
        .collect();
    let head =
        ["ID", "NAME", "TENANT", "SCOPES", "WEIGHT", "RATE", "EXPIRES", "LAST USED", "STATE"];
    output::table(head, &rows)
}

/// A point in time (RFC 3339, UTC), to the second.
fn time(at: Timestamp) -> String {
    shown(at, "%Y-%m-%dT%H:%M:%SZ")
}

fn day(at: Timestamp) -> String {
    shown(at, "%Y-%m-%d")
}

fn shown(at: Timestamp, format: &str) -> String {
    let millis = i64::try_from(at.0).ok();
    let at = millis.and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    at.map_or_else(|| "never".to_owned(), |at| at.strftime(format).to_string())
}

//! What a Redis server must be like before jobs are entrusted to it.

use std::collections::{BTreeSet, HashMap};
use std::iter::repeat;

use redis::cmd;

use super::super::StoreError;
use super::parting;
use super::server::Server;

/// What is known of a server. Settings are unknown where `CONFIG` is
/// forbidden, as managed services do.
#[derive(Debug, Default)]
struct Facts {
    version: String,
    eviction: Option<String>,
    append_only: Option<String>,
}

/// Checks the server, and logs what is doubtful but allowed.
pub(super) async fn check(server: &Server, allow_volatile: bool) -> Result<(), StoreError> {
    let mut warned = BTreeSet::new();
    for facts in ask(server).await? {
        warned.extend(judge(&facts, allow_volatile)?);
    }
    for warning in warned {
        tracing::warn!("{warning}");
    }
    parting::adopt(server).await
}

/// What is known of each server that may have jobs.
async fn ask(server: &Server) -> Result<Vec<Facts>, StoreError> {
    let infos: Vec<String> = server.everywhere(cmd("INFO").arg("server")).await?;
    let version = |info: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
        line.unwrap_or_default().trim().to_owned()
    };
    let mut ask_settings = cmd("CONFIG");
    ask_settings.arg("GET").arg("maxmemory-policy").arg("appendonly");
    let settings: Vec<HashMap<String, String>> = match server.everywhere(&ask_settings).await {
        Ok(settings) => settings,
        Err(error) => {
            tracing::debug!(%error, "CONFIG GET was refused");
            vec![HashMap::new()]
        }
    };
    // Which settings are of which version is no matter: all have to do.
    let settings = settings.into_iter().chain(repeat(HashMap::new()));
    let facts = infos.iter().zip(settings).map(|(info, mut settings)| Facts {
        version: version(info),
        eviction: settings.remove("maxmemory-policy"),
        append_only: settings.remove("appendonly"),
    });
    Ok(facts.collect())
}

/// Decides whether a server will do; answers what to warn about.
fn judge(facts: &Facts, allow_volatile: bool) -> Result<Vec<&'static str>, StoreError> {
    let major: u32 = facts.version.split('.').next().unwrap_or("").parse().unwrap_or(0);
    if major < 7 {
        return Err(StoreError::Config(format!(
            "Redis 7.0 or newer, or Valkey, is needed; this server is version {}",
            facts.version
        )));
    }
    let mut warnings = Vec::new();
    match facts.eviction.as_deref() {
        Some("noeviction") => {}
        Some(policy) => {
            return Err(StoreError::Config(format!(
                "Redis would drop jobs when its memory is full (maxmemory-policy is {policy}): \
                 run `CONFIG SET maxmemory-policy noeviction` and set it in redis.conf"
            )));
        }
        None => warnings.push(
            "Redis does not tell its maxmemory-policy: make sure that it is noeviction, or jobs \
             are lost when its memory is full",
        ),
    }
    match facts.append_only.as_deref() {
        Some("yes") => {}
        Some(_) if allow_volatile => warnings
            .push("JOBS WILL BE LOST when Redis restarts: appendonly is off, and that was allowed"),
        Some(_) => {
            return Err(StoreError::Config(
                "Redis would lose jobs when it restarts (appendonly is no): run `CONFIG SET \
                 appendonly yes` and set it in redis.conf, or allow a volatile store on purpose"
                    .to_owned(),
            ));
        }
        None => warnings.push(
            "Redis does not tell whether appendonly is on: make sure that it is, or jobs are \
             lost when it restarts",
        ),
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(version: &str, eviction: Option<&str>, append_only: Option<&str>) -> Facts {
        Facts {
            version: version.to_owned(),
            eviction: eviction.map(str::to_owned),
            append_only: append_only.map(str::to_owned),
        }
    }

    #[test]
    fn a_server_that_keeps_what_it_is_given_will_do() {
        let facts = facts("7.0.15", Some("noeviction"), Some("yes"));
        assert!(judge(&facts, false).unwrap().is_empty());
    }

    #[test]
    fn an_old_server_is_refused() {
        for version in ["6.2.14", "", "unknown"] {
            let facts = facts(version, Some("noeviction"), Some("yes"));
            assert!(matches!(judge(&facts, false), Err(StoreError::Config(_))), "{version:?}");
        }
    }

    #[test]
    fn an_evicting_server_is_refused_with_the_way_out() {
        let facts = facts("7.2.4", Some("allkeys-lru"), Some("yes"));
        let error = judge(&facts, true).unwrap_err().to_string();
        assert!(error.contains("CONFIG SET maxmemory-policy noeviction"), "{error}");
    }

    #[test]
    fn a_volatile_server_is_refused_unless_that_was_allowed() {
        let facts = facts("7.2.4", Some("noeviction"), Some("no"));
        assert!(matches!(judge(&facts, false), Err(StoreError::Config(_))));
        assert_eq!(judge(&facts, true).unwrap().len(), 1);
    }

    #[test]
    fn a_server_that_hides_its_settings_is_warned_about() {
        assert_eq!(judge(&facts("8.0.0", None, None), false).unwrap().len(), 2);
    }
}

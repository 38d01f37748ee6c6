//! The Lua scripts, each put together from its own file and the parts it
//! shares with others. Redis compiles each once and knows it by its digest.

use redis::Script;

const PRELUDE: &str = include_str!("scripts/parts/prelude.lua");
const GATE: &str = include_str!("scripts/parts/gate.lua");
const INTAKE: &str = include_str!("scripts/parts/intake.lua");
const LANES: &str = include_str!("scripts/parts/lanes.lua");
const DELIVERY_LANES: &str = include_str!("scripts/parts/delivery_lanes.lua");
const OUTBOX: &str = include_str!("scripts/parts/outbox.lua");
const GIVING_UP: &str = include_str!("scripts/parts/giving_up.lua");
const ENDING: &str = include_str!("scripts/parts/ending.lua");
const REMOVAL: &str = include_str!("scripts/parts/removal.lua");
const API_KEYS: &str = include_str!("scripts/parts/api_keys.lua");

macro_rules! scripts {
    ($($name:ident: $file:literal $($part:ident)*;)*) => {
        /// Every script of the store.
        pub(crate) struct Scripts {
            $(pub(super) $name: Script,)*
        }

        impl Scripts {
            /// Puts every script together.
            pub(super) fn new() -> Self {
                Self {
                    $($name: compose(
                        include_str!(concat!("scripts/", $file)),
                        &[PRELUDE, $($part),*],
                    ),)*
                }
            }
        }
    };
}

scripts! {
    enqueue: "enqueue.lua" LANES GATE INTAKE;
    open: "open.lua" GATE INTAKE;
    append: "append.lua" GATE INTAKE;
    seal: "seal.lua" LANES;
    claim: "claim.lua" LANES DELIVERY_LANES OUTBOX ENDING;
    extend: "extend.lua";
    complete: "complete.lua" DELIVERY_LANES OUTBOX ENDING;
    retry: "retry.lua" DELIVERY_LANES OUTBOX ENDING;
    release: "release.lua" LANES DELIVERY_LANES OUTBOX ENDING;
    reap: "reap.lua" DELIVERY_LANES OUTBOX ENDING;
    sweep: "sweep.lua" REMOVAL;
    find: "find.lua";
    results: "results.lua";
    list: "list.lua";
    cancel: "cancel.lua" DELIVERY_LANES OUTBOX ENDING;
    delete: "delete.lua" REMOVAL;
    announce: "announce.lua";
    retire: "retire.lua";
    models: "models.lua";
    stats: "stats.lua";
    dead_letters: "dead_letters.lua";
    existing: "existing.lua";
    check: "check.lua";
    put_key: "put_key.lua" API_KEYS;
    find_key: "find_key.lua" API_KEYS;
    list_keys: "list_keys.lua" API_KEYS;
    revoke_key: "revoke_key.lua" API_KEYS;
    purge_keys: "purge_keys.lua" API_KEYS;
    touch_key: "touch_key.lua" API_KEYS;
    take: "take.lua";
    admits: "admits.lua" GATE;
    switch: "switch.lua";
    put_endpoint: "put_endpoint.lua" DELIVERY_LANES;
    endpoints: "endpoints.lua" DELIVERY_LANES;
    remove_endpoint: "remove_endpoint.lua" DELIVERY_LANES GIVING_UP;
    claim_deliveries: "claim_deliveries.lua" DELIVERY_LANES GIVING_UP;
    settle_delivery: "settle_delivery.lua" DELIVERY_LANES;
    release_deliveries: "release_deliveries.lua" DELIVERY_LANES;
    replay_delivery: "replay_delivery.lua" DELIVERY_LANES;
    delivery: "delivery.lua" DELIVERY_LANES;
    deliveries: "deliveries.lua" DELIVERY_LANES;
    forget_deliveries: "forget_deliveries.lua" DELIVERY_LANES;
}

/// The shebang with its flags must be the first line, so the parts go
/// between it and the rest.
fn compose(own: &str, parts: &[&str]) -> Script {
    let (shebang, body) = own.split_once('\n').unwrap_or((own, ""));
    let mut code = format!("{shebang}\n");
    for part in parts {
        code.push_str(part);
    }
    code.push_str(body);
    Script::new(&code)
}

//! The Lua scripts, each put together from its own file and the parts it
//! shares with others. Redis compiles each once and knows it by its digest.

use redis::{
    Arg, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, ServerErrorKind, ToRedisArgs,
};
use redis::{aio, cmd};

const PRELUDE: &str = include_str!("scripts/parts/prelude.lua");
const FIGURE: &str = include_str!("scripts/parts/figure.lua");
const MEMORY: &str = include_str!("scripts/parts/memory.lua");
const ANSWERS: &str = include_str!("scripts/parts/answers.lua");
const GATE: &str = include_str!("scripts/parts/gate.lua");
const INTAKE: &str = include_str!("scripts/parts/intake.lua");
const LANES: &str = include_str!("scripts/parts/lanes.lua");
const DELIVERY_LANES: &str = include_str!("scripts/parts/delivery_lanes.lua");
const DELIVER: &str = include_str!("scripts/parts/deliver.lua");
const OUTBOX: &str = include_str!("scripts/parts/outbox.lua");

/// What writes deliveries, made when it is called for: a script makes all its
/// functions anew each time it is run, and most jobs end without a webhook.
const DELIVERER: &str = concat!(
    "local function deliverer()\n",
    include_str!("scripts/parts/delivery_lanes.lua"),
    include_str!("scripts/parts/deliver.lua"),
    "return deliver\nend\n",
);
const GIVING_UP: &str = include_str!("scripts/parts/giving_up.lua");
const ENDING: &str = include_str!("scripts/parts/ending.lua");
const HANDING_BACK: &str = include_str!("scripts/parts/handing_back.lua");
const RESULTS: &str = include_str!("scripts/parts/results.lua");
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
    enqueue: "enqueue.lua" LANES GATE FIGURE INTAKE;
    open: "open.lua" GATE FIGURE INTAKE;
    append: "append.lua" GATE FIGURE INTAKE;
    seal: "seal.lua" LANES;
    claim: "claim.lua" LANES DELIVERER OUTBOX ENDING HANDING_BACK;
    extend: "extend.lua";
    complete: "complete.lua" DELIVERER OUTBOX ENDING;
    retry: "retry.lua" DELIVERER OUTBOX ENDING;
    release: "release.lua" LANES DELIVERER OUTBOX ENDING HANDING_BACK;
    reap: "reap.lua" DELIVERER OUTBOX ENDING;
    sweep: "sweep.lua" REMOVAL;
    find: "find.lua" RESULTS;
    results: "results.lua" RESULTS;
    list: "list.lua";
    cancel: "cancel.lua" DELIVERER OUTBOX ENDING;
    delete: "delete.lua" REMOVAL;
    announce: "announce.lua";
    retire: "retire.lua";
    withdraw: "withdraw.lua";
    models: "models.lua";
    stats: "stats.lua" DELIVERY_LANES;
    dead_letters: "dead_letters.lua";
    existing: "existing.lua";
    check: "check.lua";
    adopt: "adopt.lua";
    seek: "seek.lua";
    info: "info.lua";
    loads: "loads.lua" GATE;
    expect_news: "expect_news.lua" OUTBOX;
    leaving: "leaving.lua" OUTBOX;
    arrive: "arrive.lua" DELIVERY_LANES DELIVER;
    left: "left.lua" OUTBOX;
    put_key: "put_key.lua" API_KEYS;
    find_key: "find_key.lua" API_KEYS;
    list_keys: "list_keys.lua" API_KEYS;
    revoke_key: "revoke_key.lua" API_KEYS;
    purge_keys: "purge_keys.lua" API_KEYS;
    touch_key: "touch_key.lua" API_KEYS;
    take: "take.lua";
    admits: "admits.lua" FIGURE MEMORY GATE;
    recall: "recall.lua";
    remember: "remember.lua" FIGURE MEMORY ANSWERS;
    forget_answers: "forget_answers.lua" FIGURE MEMORY ANSWERS;
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

/// A script's code, and the digest that Redis knows it by.
pub(crate) struct Script {
    code: String,
    digest: String,
}

impl Script {
    fn new(code: String) -> Self {
        let digest = redis::Script::new(&code).get_hash().to_owned();
        Self { code, digest }
    }

    /// Begins a call with the one key that every script declares.
    pub(super) fn step(&self, key: String) -> Step<'_> {
        let mut call = cmd("EVALSHA");
        call.arg(&self.digest).arg(1).arg(key);
        Step { script: self, call }
    }
}

/// A call of a script, which goes to the server that has its key.
pub(crate) struct Step<'a> {
    script: &'a Script,
    call: Cmd,
}

impl Step<'_> {
    /// Adds an argument, or several.
    pub(super) fn arg(&mut self, arg: impl ToRedisArgs) -> &mut Self {
        self.call.arg(arg);
        self
    }

    /// Runs it. A server that does not know the script is sent its code with
    /// the call, and knows it from then on.
    pub(super) async fn invoke<T: FromRedisValue>(
        &self,
        connection: &mut impl aio::ConnectionLike,
    ) -> Result<T, RedisError> {
        match self.call.query_async(connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.with_code().query_async(connection).await
            }
            answer => answer,
        }
    }

    /// Runs it behind commands, all of them in one round trip. Should the
    /// server say no to any of them, because it does not know the script, or is
    /// of a cluster and another has the slot by now, they are given one after
    /// the other.
    pub(super) async fn invoke_after<T: FromRedisValue>(
        &self,
        commands: Vec<Cmd>,
        connection: &mut impl aio::ConnectionLike,
    ) -> Result<T, RedisError> {
        let mut pipeline = Pipeline::with_capacity(commands.len() + 1);
        for command in commands {
            pipeline.add_command(command).ignore();
        }
        pipeline.add_command(self.call.clone());
        match pipeline.query_async(connection).await {
            Err(error) if matches!(error.kind(), ErrorKind::Server(_)) => {}
            answer => return answer.map(|(answer,)| answer),
        }
        for command in pipeline.cmd_iter().take(pipeline.len() - 1) {
            command.exec_async(connection).await?;
        }
        self.invoke(connection).await
    }

    fn with_code(&self) -> Cmd {
        let mut call = cmd("EVAL");
        call.arg(&self.script.code);
        for arg in self.call.args_iter().skip(2) {
            // Scripts are called with simple arguments only.
            if let Arg::Simple(bytes) = arg {
                call.arg(bytes);
            }
        }
        call
    }
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
    Script::new(code)
}

//! The store for many machines: Redis 7 or Valkey, one Lua script a
//! transition.
//!
//! What must never happen: a transition in more than one script call, a key
//! outside its shard's hash slot, a script that writes before its checks are
//! done, time taken from anywhere but the server (or the pinned clock).

mod address;
mod api_keys;
mod cache;
mod callers;
mod connection;
mod contract;
mod elsewhere;
mod fleet;
mod holding;
mod intake;
mod keys;
mod limits;
mod options;
mod parting;
mod records;
mod relay;
mod scripts;
mod server;
mod store;
mod subscription;
mod tickets;
mod upkeep;
mod webhooks;
mod written;

#[cfg(test)]
mod tests;

pub use options::RedisOptions;
pub(crate) use server::Server;
pub use store::RedisStore;

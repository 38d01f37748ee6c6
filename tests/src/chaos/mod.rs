//! Faults, one at a time, against real processes over a real store, and what
//! they may cost: time, nothing else.
//!
//! Clients keep a ledger of every acknowledgement outside the service
//! ([`ledger`]); a fault is injected and heals; then every promise is held
//! against what the service says ([`settle`]). `make chaos` runs all of it at
//! length, `make test` a short version of each.

pub mod clocks;
pub mod experiments;
pub mod fleet;
pub mod inside;
pub mod ledger;
pub mod load;
pub mod mailbox;
pub mod process;
pub mod proxy;
pub mod report;
pub mod rough_hosts;
pub mod scene;
pub mod settle;
pub mod soak;

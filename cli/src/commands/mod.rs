//! The sub-commands, one module each.

pub(crate) mod classify;
pub(crate) mod health;
pub(crate) mod models;
pub(crate) mod openapi;
pub(crate) mod serve;

//! The harness of the end-to-end suite: real servers, real stores, and the
//! jobs that tests put into them.
//!
//! Nothing here stands in for a part of the service: a test that needs Redis
//! gets a Redis of its own, and fails where there is none.

pub mod fixtures;
pub mod harness;
pub mod redis_server;

//! Rates, caps and switches.

use async_trait::async_trait;

use super::store::RedisStore;
use crate::store::Limits;

#[async_trait]
impl Limits for RedisStore {}

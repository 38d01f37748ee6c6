//! API keys.

use async_trait::async_trait;

use super::store::RedisStore;
use crate::store::Keys;

#[async_trait]
impl Keys for RedisStore {}

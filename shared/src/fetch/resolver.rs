//! Name resolution that drops addresses which the policy does not allow.

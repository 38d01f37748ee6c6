-- API keys, by the hash of their secrets. `last_used_on` is a day's first
-- instant.
CREATE TABLE api_keys (
    id              TEXT    NOT NULL PRIMARY KEY,
    hash            BLOB    NOT NULL CHECK (length(hash) = 32),
    name            TEXT    NOT NULL,
    tenant          TEXT    NOT NULL,
    scopes          TEXT    NOT NULL,
    weight          INTEGER NOT NULL,
    rate_per_minute INTEGER,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER,
    revoked_at      INTEGER,
    last_used_on    INTEGER
) STRICT, WITHOUT ROWID;

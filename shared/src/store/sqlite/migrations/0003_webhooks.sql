-- Webhooks: who wants to be told of jobs' ends, and what is still to be told.
-- Times are wall-clock milliseconds since the Unix epoch; JSON stands in TEXT.

CREATE TABLE endpoints (
    tenant      TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    url         TEXT,
    events      TEXT    NOT NULL,
    description TEXT    NOT NULL,
    secrets     TEXT    NOT NULL,
    -- Why and since when it gets nothing.
    disabled    TEXT,
    created_at  INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

-- Jobs as their ends are told, as long as one of their deliveries is kept.
CREATE TABLE endings (
    job   BLOB NOT NULL PRIMARY KEY,
    ended TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What shares a cap and a breaker: an endpoint's deliveries, or the callbacks
-- of a tenant to one origin.
CREATE TABLE delivery_lanes (
    id            INTEGER PRIMARY KEY,
    tenant        TEXT    NOT NULL,
    endpoint      TEXT    NOT NULL,
    -- Empty but for callbacks.
    origin        TEXT    NOT NULL,
    -- When a claim should look at it; NULL while nothing is pending.
    next_at       INTEGER,
    -- Its last service: when, and a number that decides between lanes served
    -- in the same millisecond.
    served_at     INTEGER NOT NULL DEFAULT 0,
    turn          INTEGER NOT NULL DEFAULT 0,
    -- The breaker: failures in a row, and until when it is open.
    failures      INTEGER NOT NULL DEFAULT 0,
    failing_since INTEGER,
    rest_until    INTEGER,
    UNIQUE (tenant, endpoint, origin)
) STRICT;

CREATE INDEX delivery_lanes_due ON delivery_lanes (next_at, turn) WHERE next_at IS NOT NULL;
CREATE INDEX delivery_lanes_turns ON delivery_lanes (turn);

CREATE TABLE deliveries (
    job        BLOB    NOT NULL,
    endpoint   TEXT    NOT NULL,
    tenant     TEXT    NOT NULL,
    origin     TEXT    NOT NULL,
    url        TEXT    NOT NULL,
    event      TEXT    NOT NULL,
    status     TEXT    NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
    -- Claims since it was written or replayed, and in all.
    attempt    INTEGER NOT NULL DEFAULT 0,
    attempted  INTEGER NOT NULL DEFAULT 0,
    attempts   TEXT    NOT NULL DEFAULT '[]',
    created_at INTEGER NOT NULL,
    due        INTEGER,
    ended_at   INTEGER,
    -- Set while pending: its lane, and when it can be claimed, which is when
    -- it is due or, while it is held, when its lease is over.
    lane       INTEGER,
    ready_at   INTEGER,
    -- The lease's token, and that of the last attempt written down.
    token      TEXT,
    settled    TEXT,
    PRIMARY KEY (job, endpoint)
) STRICT, WITHOUT ROWID;

CREATE INDEX deliveries_ready ON deliveries (lane, ready_at) WHERE lane IS NOT NULL;
CREATE INDEX deliveries_held ON deliveries (lane, ready_at) WHERE token IS NOT NULL;
CREATE INDEX deliveries_by_tenant ON deliveries (tenant, created_at, job, endpoint);
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;

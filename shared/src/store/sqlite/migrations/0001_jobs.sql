-- Jobs, items, leases and results.
-- Times are wall-clock milliseconds since the Unix epoch, but for
-- `items.lease_until`; JSON stands in TEXT; job ids are the UUID's 16 bytes.

-- A lane is a model's items of one priority. Its counters are kept by the
-- triggers below and by nothing else.
CREATE TABLE lanes (
    id           INTEGER PRIMARY KEY,
    model        TEXT    NOT NULL,
    band         INTEGER NOT NULL,
    -- Fair queueing: the largest finish tag claimed so far.
    virtual_time REAL    NOT NULL DEFAULT 0,
    ready        INTEGER NOT NULL DEFAULT 0,
    delayed      INTEGER NOT NULL DEFAULT 0,
    running      INTEGER NOT NULL DEFAULT 0,
    -- Items that have not ended, announced and not yet appended ones included.
    live         INTEGER NOT NULL DEFAULT 0,
    UNIQUE (model, band)
) STRICT;

-- Fair queueing: the finish tag of the tenant's last item in the lane.
CREATE TABLE shares (
    lane   INTEGER NOT NULL REFERENCES lanes (id),
    tenant TEXT    NOT NULL,
    finish REAL    NOT NULL,
    PRIMARY KEY (lane, tenant)
) STRICT, WITHOUT ROWID;

-- Claims that found work, by model: every eighth looks at the bands reversed.
CREATE TABLE turns (
    model  TEXT    NOT NULL PRIMARY KEY,
    claims INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    id               BLOB    NOT NULL PRIMARY KEY,
    tenant           TEXT    NOT NULL,
    lane             INTEGER NOT NULL REFERENCES lanes (id),
    -- 'open' until sealed, then a status as readers see it.
    status           TEXT    NOT NULL,
    total            INTEGER NOT NULL,
    succeeded        INTEGER NOT NULL DEFAULT 0,
    failed           INTEGER NOT NULL DEFAULT 0,
    canceled         INTEGER NOT NULL DEFAULT 0,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    version          INTEGER NOT NULL DEFAULT 1,
    created_at       INTEGER NOT NULL,
    started_at       INTEGER,
    completed_at     INTEGER,
    expires_at       INTEGER,
    retention_ms     INTEGER NOT NULL,
    max_attempts     INTEGER NOT NULL,
    weight           INTEGER NOT NULL,
    options          TEXT    NOT NULL,
    metadata         TEXT    NOT NULL,
    CHECK (succeeded + failed + canceled <= total)
) STRICT, WITHOUT ROWID;

CREATE INDEX jobs_by_tenant ON jobs (tenant, created_at, id);
CREATE INDEX jobs_expiring ON jobs (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX jobs_open ON jobs (created_at) WHERE status = 'open';
CREATE INDEX jobs_live ON jobs (lane, created_at) WHERE status IN ('queued', 'processing');

-- Items that have not ended; an item that ends becomes a row of `results`.
CREATE TABLE items (
    job          BLOB    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    idx          INTEGER NOT NULL,
    lane         INTEGER NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('held', 'ready', 'delayed', 'running')),
    source       TEXT    NOT NULL,
    -- Fair queueing: the lowest finish tag of the lane is claimed next.
    finish       REAL    NOT NULL DEFAULT 0,
    -- Whether it took a worker down, so that it must be claimed alone.
    solo         INTEGER NOT NULL DEFAULT 0,
    attempts     INTEGER NOT NULL DEFAULT 0,
    crashes      INTEGER NOT NULL DEFAULT 0,
    solo_crashes INTEGER NOT NULL DEFAULT 0,
    -- Grows with each claim and stands in the token.
    epoch        INTEGER NOT NULL DEFAULT 0,
    -- When a delayed item is ready again.
    due          INTEGER,
    -- The lease of a running item: milliseconds since the boot of that id.
    token        TEXT,
    worker       TEXT,
    lease_boot   TEXT,
    lease_until  INTEGER,
    PRIMARY KEY (job, idx)
) STRICT, WITHOUT ROWID;

CREATE INDEX items_ready ON items (lane, solo, finish) WHERE state = 'ready';
CREATE INDEX items_delayed ON items (due) WHERE state = 'delayed';
CREATE INDEX items_running ON items (worker, lease_boot, lease_until) WHERE state = 'running';

CREATE TABLE results (
    job     BLOB    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    idx     INTEGER NOT NULL,
    outcome TEXT    NOT NULL,
    PRIMARY KEY (job, idx)
) STRICT;

CREATE TABLE dead_letters (
    job   BLOB    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    idx   INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    error TEXT    NOT NULL,
    PRIMARY KEY (job, idx)
) STRICT, WITHOUT ROWID;

CREATE INDEX dead_letters_by_age ON dead_letters (at);

-- Jobs that are gone, so that their tenant is told so.
CREATE TABLE tombstones (
    job        BLOB    NOT NULL PRIMARY KEY,
    tenant     TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX tombstones_expiring ON tombstones (expires_at);

CREATE TABLE models (
    name         TEXT    NOT NULL PRIMARY KEY,
    announced_at INTEGER NOT NULL,
    card         TEXT    NOT NULL
) STRICT;

CREATE TABLE workers (
    id         TEXT    NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE serving (
    model  TEXT NOT NULL,
    worker TEXT NOT NULL REFERENCES workers (id) ON DELETE CASCADE,
    PRIMARY KEY (worker, model)
) STRICT, WITHOUT ROWID;

-- What a health check writes and reads back.
CREATE TABLE pulse (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    beats INTEGER NOT NULL
) STRICT;

INSERT INTO pulse VALUES (1, 0);

-- Counters: changed in the same step as what they count, however it came about.

CREATE TRIGGER item_added AFTER INSERT ON items BEGIN
    UPDATE lanes SET
        ready   = ready   + (NEW.state = 'ready'),
        delayed = delayed + (NEW.state = 'delayed'),
        running = running + (NEW.state = 'running')
    WHERE id = NEW.lane;
END;

CREATE TRIGGER item_moved AFTER UPDATE OF state ON items WHEN NEW.state <> OLD.state BEGIN
    UPDATE lanes SET
        ready   = ready   + (NEW.state = 'ready')   - (OLD.state = 'ready'),
        delayed = delayed + (NEW.state = 'delayed') - (OLD.state = 'delayed'),
        running = running + (NEW.state = 'running') - (OLD.state = 'running')
    WHERE id = NEW.lane;
END;

CREATE TRIGGER item_removed AFTER DELETE ON items BEGIN
    UPDATE lanes SET
        ready   = ready   - (OLD.state = 'ready'),
        delayed = delayed - (OLD.state = 'delayed'),
        running = running - (OLD.state = 'running')
    WHERE id = OLD.lane;
END;

CREATE TRIGGER job_added AFTER INSERT ON jobs BEGIN
    UPDATE lanes SET live = live + NEW.total WHERE id = NEW.lane;
END;

CREATE TRIGGER job_advanced AFTER UPDATE OF succeeded, failed, canceled ON jobs BEGIN
    UPDATE lanes SET live = live
        - (NEW.succeeded + NEW.failed + NEW.canceled)
        + (OLD.succeeded + OLD.failed + OLD.canceled)
    WHERE id = NEW.lane;
END;

CREATE TRIGGER job_removed AFTER DELETE ON jobs BEGIN
    UPDATE lanes SET live = live - (OLD.total - OLD.succeeded - OLD.failed - OLD.canceled)
    WHERE id = OLD.lane;
END;

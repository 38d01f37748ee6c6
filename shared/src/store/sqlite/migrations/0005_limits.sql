-- Callers' keys, rates, caps and switches.

-- The request behind a caller's key, and the job that it made.
CREATE TABLE idempotency (
    tenant      TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    job         BLOB    NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_by_job ON idempotency (job);
CREATE INDEX idempotency_expiring ON idempotency (expires_at);

-- Rate limits: the theoretical arrival time of the next unit, in ms.
CREATE TABLE rates (
    bucket TEXT NOT NULL PRIMARY KEY,
    tat    REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX rates_over ON rates (tat);

-- Switches that are on.
CREATE TABLE switches (
    name TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Live items that left, by slot of ten seconds.
CREATE TABLE drained (
    slot  INTEGER PRIMARY KEY,
    items INTEGER NOT NULL
) STRICT;

-- Live items of each tenant; kept by the triggers below and by nothing else.
CREATE TABLE loads (
    tenant TEXT    NOT NULL PRIMARY KEY,
    live   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO loads
SELECT tenant, sum(total - succeeded - failed - canceled) FROM jobs GROUP BY tenant;

-- Bytes of uploads whose items have not ended; kept likewise.
CREATE TABLE waiting_bytes (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    bytes INTEGER NOT NULL
) STRICT;

INSERT INTO waiting_bytes VALUES (1, 0);

ALTER TABLE items ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;

CREATE TRIGGER load_added AFTER INSERT ON jobs BEGIN
    INSERT INTO loads VALUES (NEW.tenant, NEW.total)
    ON CONFLICT (tenant) DO UPDATE SET live = live + NEW.total;
END;

CREATE TRIGGER load_eased AFTER UPDATE OF succeeded, failed, canceled ON jobs BEGIN
    UPDATE loads SET live = live
        - (NEW.succeeded + NEW.failed + NEW.canceled)
        + (OLD.succeeded + OLD.failed + OLD.canceled)
    WHERE tenant = NEW.tenant;
END;

CREATE TRIGGER load_removed AFTER DELETE ON jobs BEGIN
    UPDATE loads SET live = live - (OLD.total - OLD.succeeded - OLD.failed - OLD.canceled)
    WHERE tenant = OLD.tenant;
END;

CREATE TRIGGER bytes_added AFTER INSERT ON items WHEN NEW.bytes > 0 BEGIN
    UPDATE waiting_bytes SET bytes = bytes + NEW.bytes;
END;

CREATE TRIGGER bytes_removed AFTER DELETE ON items WHEN OLD.bytes > 0 BEGIN
    UPDATE waiting_bytes SET bytes = bytes - OLD.bytes;
END;

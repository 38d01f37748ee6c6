-- Answers kept for pictures that come again.
CREATE TABLE cache (
    key        BLOB    NOT NULL PRIMARY KEY,
    entry      BLOB    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX cache_by_age ON cache (expires_at);

-- How many; kept by the triggers below and by nothing else.
CREATE TABLE cache_size (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    entries INTEGER NOT NULL
) STRICT;

INSERT INTO cache_size VALUES (1, 0);

CREATE TRIGGER cache_added AFTER INSERT ON cache BEGIN
    UPDATE cache_size SET entries = entries + 1;
END;

CREATE TRIGGER cache_removed AFTER DELETE ON cache BEGIN
    UPDATE cache_size SET entries = entries - 1;
END;

-- Items of a job whose answers came from there.
ALTER TABLE jobs ADD COLUMN cached INTEGER NOT NULL DEFAULT 0;

-- Bytes of uploads, until their items have ended. Named by the item alone:
-- they are written before their job.
CREATE TABLE uploads (
    id    INTEGER PRIMARY KEY,
    job   BLOB    NOT NULL,
    item  INTEGER NOT NULL,
    bytes BLOB    NOT NULL
) STRICT;

CREATE UNIQUE INDEX uploads_by_item ON uploads (job, item);

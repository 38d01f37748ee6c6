-- Tenants take turns at webhooks, and none has more than its share under way.

-- Tenants with something pending: when a claim should look at their lanes, and
-- their last service, as of a lane.
CREATE TABLE delivery_tenants (
    tenant    TEXT    NOT NULL PRIMARY KEY,
    next_at   INTEGER NOT NULL,
    served_at INTEGER NOT NULL DEFAULT 0,
    turn      INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

INSERT INTO delivery_tenants (tenant, next_at)
SELECT tenant, min(next_at) FROM delivery_lanes WHERE next_at IS NOT NULL GROUP BY tenant;

CREATE INDEX delivery_tenants_due ON delivery_tenants (next_at, turn);
CREATE INDEX delivery_tenants_turns ON delivery_tenants (turn);

DROP INDEX delivery_lanes_due;
CREATE INDEX delivery_lanes_due ON delivery_lanes (tenant, next_at, turn)
    WHERE next_at IS NOT NULL;

CREATE INDEX deliveries_held_by_tenant ON deliveries (tenant, ready_at)
    WHERE token IS NOT NULL;

-- Deliveries that are pending; kept by the triggers below and by nothing else.
CREATE TABLE pending_deliveries (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    deliveries INTEGER NOT NULL
) STRICT;

INSERT INTO pending_deliveries SELECT 1, count(*) FROM deliveries WHERE status = 'pending';

CREATE TRIGGER delivery_added AFTER INSERT ON deliveries WHEN NEW.status = 'pending' BEGIN
    UPDATE pending_deliveries SET deliveries = deliveries + 1;
END;

CREATE TRIGGER delivery_changed AFTER UPDATE OF status ON deliveries
WHEN (NEW.status = 'pending') <> (OLD.status = 'pending') BEGIN
    UPDATE pending_deliveries
    SET deliveries = deliveries + (NEW.status = 'pending') - (OLD.status = 'pending');
END;

CREATE TRIGGER delivery_removed AFTER DELETE ON deliveries WHEN OLD.status = 'pending' BEGIN
    UPDATE pending_deliveries SET deliveries = deliveries - 1;
END;

//! Deliveries go out: tenants take turns, of a tenant its lanes, and inside a
//! lane the longest due goes first.
//!
//! A claim that finds nothing writes nothing, so idle senders cost no disk.

use rusqlite::{Connection, OptionalExtension, params};

use super::giving_up::{GIVEN_UP_PER_STEP, Unwanted, give_up_lane};
use super::lane::Lane;
use super::turn;
use crate::domain::{
    ClaimedDelivery, DeliveryId, DeliveryLease, EndpointSecret, Event, TenantId, Timestamp,
};
use crate::store::sqlite::step::Step;
use crate::store::sqlite::values::Json;
use crate::store::{DeliveryClaim, LONGEST_LEASE, StoreError};

/// Deliveries that one claim hands out at most.
const DELIVERIES_PER_CLAIM: usize = 256;

/// Lanes that one claim looks at, of all tenants, beyond as many as it wants
/// deliveries.
const MORE_LANES: usize = 64;

/// Hands out up to `max` deliveries.
pub(super) fn claim(
    step: &mut Step<'_>,
    wish: &DeliveryClaim,
) -> Result<Vec<ClaimedDelivery>, StoreError> {
    if wish.max == 0 || wish.per_lane == 0 || wish.per_tenant == 0 {
        return Ok(Vec::new());
    }
    let wish = &DeliveryClaim { max: wish.max.min(DELIVERIES_PER_CLAIM), ..*wish };
    let lanes = wish.max + MORE_LANES;
    let due = turn::due_tenants(step.db, step.now.wall, lanes)?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let mut looking = Looking {
        lanes_each: (lanes / due.len()).max(1),
        budget: GIVEN_UP_PER_STEP,
        turn: turn::last_turn(step.db)?,
    };
    let mut open = Vec::new();
    for tenant in due {
        open.extend(looking.at(step, tenant, wish)?);
    }
    share_out(&mut open, wish.max);
    let mut claimed = Vec::new();
    for tenant in &open {
        take_from(step, tenant, &mut looking.turn, wish, &mut claimed)?;
    }
    claimed.sort_by_key(|(due, _)| *due);
    Ok(claimed.into_iter().map(|(_, delivery)| delivery).collect())
}

/// What a claim may still look at and give up.
struct Looking {
    /// Lanes of each tenant.
    lanes_each: usize,
    /// Deliveries to give up.
    budget: usize,
    /// The last turn that was taken.
    turn: i64,
}

impl Looking {
    /// What a due tenant has to hand out, if it has not its share already.
    fn at(
        &mut self,
        step: &Step<'_>,
        tenant: TenantId,
        wish: &DeliveryClaim,
    ) -> Result<Option<OpenTenant>, StoreError> {
        let now = step.now.wall;
        let room = turn::room(step.db, &tenant, wish.per_tenant, now)?;
        if room == 0 {
            turn::park(step.db, &tenant, now)?;
            return Ok(None);
        }
        let mut lanes = Vec::new();
        for lane in due_lanes(step, &tenant, self.lanes_each)? {
            match receiver_of(step.db, &lane, now)? {
                Ok(receiver) => lanes.extend(look_into(step, lane, receiver, room, wish)?),
                Err(_) if self.budget == 0 => {}
                Err(unwanted) => {
                    self.turn += 1;
                    turn::take(step.db, &tenant, now, self.turn)?;
                    lane.take_turn(step.db, now, self.turn)?;
                    self.budget = give_up_lane(step, &lane, unwanted, self.budget)?;
                }
            }
        }
        Ok(Some(OpenTenant { tenant, room, taken: 0, lanes }))
    }
}

fn due_lanes(step: &Step<'_>, tenant: &TenantId, limit: usize) -> Result<Vec<Lane>, StoreError> {
    let mut select = step.db.prepare_cached(DUE_LANES)?;
    let rows = select.query_map(params![tenant, step.now.wall, limit], Lane::of_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(in crate::store::sqlite) const DUE_LANES: &str = "
    SELECT id, tenant, endpoint, origin, failures, failing_since, rest_until
    FROM delivery_lanes INDEXED BY delivery_lanes_due
    WHERE tenant = ?1 AND next_at <= ?2 ORDER BY next_at, turn LIMIT ?3";

/// Where a lane's deliveries go.
struct Receiver {
    /// `None` for callbacks, each of which has its own.
    url: Option<String>,
    /// Those that sign now.
    secrets: Vec<EndpointSecret>,
}

fn receiver_of(
    db: &Connection,
    lane: &Lane,
    now: Timestamp,
) -> Result<Result<Receiver, Unwanted>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT url, secrets, disabled IS NOT NULL FROM endpoints WHERE tenant = ?1 AND id = ?2",
    )?;
    let found = select.query_row(params![lane.tenant, lane.endpoint], |row| {
        let secrets = row.get::<_, Json<Vec<EndpointSecret>>>(1)?.0;
        Ok((row.get(0)?, secrets, row.get(2)?))
    });
    Ok(match found.optional()? {
        None => Err(Unwanted::Removed),
        Some((_, _, true)) => Err(Unwanted::Disabled),
        Some((url, mut secrets, false)) => {
            secrets.retain(|secret| secret.expires_at.is_none_or(|at| now < at));
            Ok(Receiver { url, secrets })
        }
    })
}

/// A tenant whose lanes may have something to hand out.
struct OpenTenant {
    tenant: TenantId,
    /// Deliveries of it that may be held yet.
    room: usize,
    /// How many are handed out.
    taken: usize,
    lanes: Vec<Open>,
}

impl OpenTenant {
    /// Takes one more, of the lane that has given the least; `false` when
    /// there is none, or no room.
    fn take_one(&mut self) -> bool {
        let ready = |lane: &&mut Open| lane.taken < lane.waiting.len();
        let next = self.lanes.iter_mut().filter(ready).min_by_key(|lane| lane.taken);
        match next {
            Some(lane) if self.taken < self.room => {
                lane.taken += 1;
                self.taken += 1;
                true
            }
            Some(_) | None => false,
        }
    }
}

/// A lane that has something to hand out.
struct Open {
    lane: Lane,
    receiver: Receiver,
    /// What may be handed out, longest due first.
    waiting: Vec<DeliveryId>,
    /// Deliveries that may be held in it yet.
    room: usize,
    /// How many of those that wait are handed out.
    taken: usize,
}

/// What a due lane has to hand out, if it is not full.
fn look_into(
    step: &Step<'_>,
    lane: Lane,
    receiver: Receiver,
    tenants_room: usize,
    wish: &DeliveryClaim,
) -> Result<Option<Open>, StoreError> {
    let now = step.now.wall;
    let room = lane.room(step.db, wish.per_lane, now)?;
    if room == 0 {
        lane.park(step.db, now)?;
        return Ok(None);
    }
    let waiting = lane.ready(step.db, now, room.min(tenants_room).min(wish.max))?;
    if waiting.is_empty() {
        lane.refresh(step.db, step.now.wall)?;
        return Ok(None);
    }
    Ok(Some(Open { lane, receiver, waiting, room, taken: 0 }))
}

/// Decides how many each tenant hands out: one each in turn, until there are
/// `max`.
fn share_out(open: &mut [OpenTenant], max: usize) {
    let mut left = max;
    loop {
        let before = left;
        for tenant in open.iter_mut() {
            if left > 0 && tenant.take_one() {
                left -= 1;
            }
        }
        if left == before {
            return;
        }
    }
}

fn take_from(
    step: &Step<'_>,
    open: &OpenTenant,
    turn: &mut i64,
    wish: &DeliveryClaim,
    claimed: &mut Vec<(Timestamp, ClaimedDelivery)>,
) -> Result<(), StoreError> {
    if open.taken == 0 {
        return Ok(());
    }
    let now = step.now.wall;
    turn::take(step.db, &open.tenant, now, *turn + 1)?;
    for lane in open.lanes.iter().filter(|lane| lane.taken > 0) {
        *turn += 1;
        take_from_lane(step, lane, *turn, wish, claimed)?;
    }
    if open.taken == open.room {
        turn::park(step.db, &open.tenant, now)?;
    }
    Ok(())
}

fn take_from_lane(
    step: &Step<'_>,
    open: &Open,
    turn: i64,
    wish: &DeliveryClaim,
    claimed: &mut Vec<(Timestamp, ClaimedDelivery)>,
) -> Result<(), StoreError> {
    let (lane, now) = (&open.lane, step.now.wall);
    let until = now.plus(wish.lease.min(LONGEST_LEASE));
    for id in open.waiting.iter().take(open.taken) {
        claimed.push(take(step.db, id, open, until)?);
    }
    lane.take_turn(step.db, now, turn)?;
    if open.taken == open.room {
        lane.park(step.db, now)
    } else {
        lane.refresh(step.db, step.now.wall)
    }
}

fn take(
    db: &Connection,
    id: &DeliveryId,
    open: &Open,
    until: Timestamp,
) -> Result<(Timestamp, ClaimedDelivery), StoreError> {
    let token = format!("{:032x}", rand::random::<u128>());
    let mut update = db.prepare_cached(
        "UPDATE deliveries SET token = ?3, ready_at = ?4, url = coalesce(?5, url),
                attempt = attempt + 1, attempted = attempted + 1
         WHERE job = ?1 AND endpoint = ?2
         RETURNING due, url, event, attempt,
                   (SELECT ended FROM endings WHERE job = deliveries.job)",
    )?;
    let taken = params![id.job, id.endpoint, token, until, open.receiver.url];
    Ok(update.query_row(taken, |row| {
        let delivery = ClaimedDelivery {
            lease: DeliveryLease { id: id.clone(), token: token.clone() },
            tenant: open.lane.tenant.clone(),
            url: row.get(1)?,
            secrets: open.receiver.secrets.clone(),
            event: row.get::<_, Event>(2)?,
            attempt: row.get(3)?,
            job: row.get::<_, Json<_>>(4)?.0,
            lane: open.lane.name(),
        };
        Ok((row.get(0)?, delivery))
    })?)
}

//! Deliveries go out: lanes take turns, and inside a lane the longest due
//! goes first.
//!
//! A claim that finds nothing writes nothing, so idle senders cost no disk.

use rusqlite::{Connection, OptionalExtension, params};

use super::giving_up::{GIVEN_UP_PER_STEP, Unwanted, give_up_lane};
use super::lane::Lane;
use crate::domain::{ClaimedDelivery, DeliveryId, DeliveryLease, EndpointSecret, Event, Timestamp};
use crate::store::sqlite::step::Step;
use crate::store::sqlite::values::Json;
use crate::store::{DeliveryClaim, LONGEST_LEASE, StoreError};

/// Deliveries that one claim hands out at most.
const DELIVERIES_PER_CLAIM: usize = 256;

/// Lanes that one claim looks at, beyond as many as it wants deliveries.
const MORE_LANES: usize = 64;

/// Hands out up to `max` deliveries.
pub(super) fn claim(
    step: &mut Step<'_>,
    wish: &DeliveryClaim,
) -> Result<Vec<ClaimedDelivery>, StoreError> {
    if wish.max == 0 || wish.per_lane == 0 {
        return Ok(Vec::new());
    }
    let wish = &DeliveryClaim { max: wish.max.min(DELIVERIES_PER_CLAIM), ..*wish };
    let due = due_lanes(step, wish.max + MORE_LANES)?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let mut turn = last_turn(step.db)?;
    let mut budget = GIVEN_UP_PER_STEP;
    let mut open = Vec::new();
    for lane in due {
        match receiver_of(step.db, &lane, step.now.wall)? {
            Ok(receiver) => open.extend(look_into(step, lane, receiver, wish)?),
            Err(_) if budget == 0 => {}
            Err(unwanted) => {
                turn += 1;
                lane.take_turn(step.db, step.now.wall, turn)?;
                budget = give_up_lane(step, &lane, unwanted, budget)?;
            }
        }
    }
    share_out(&mut open, wish.max);
    let mut claimed = Vec::new();
    for lane in open.into_iter().filter(|lane| lane.taken > 0) {
        turn += 1;
        take_from(step, &lane, turn, wish, &mut claimed)?;
    }
    claimed.sort_by_key(|(due, _)| *due);
    Ok(claimed.into_iter().map(|(_, delivery)| delivery).collect())
}

fn due_lanes(step: &Step<'_>, limit: usize) -> Result<Vec<Lane>, StoreError> {
    let mut select = step.db.prepare_cached(DUE_LANES)?;
    let rows = select.query_map(params![step.now.wall, limit], Lane::of_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(in crate::store::sqlite) const DUE_LANES: &str = "
    SELECT id, tenant, endpoint, origin, failures, failing_since, rest_until
    FROM delivery_lanes INDEXED BY delivery_lanes_due
    WHERE next_at <= ?1 ORDER BY next_at, turn LIMIT ?2";

fn last_turn(db: &Connection) -> Result<i64, StoreError> {
    let mut select = db.prepare_cached("SELECT max(turn) FROM delivery_lanes")?;
    Ok(select.query_row([], |row| row.get::<_, Option<i64>>(0))?.unwrap_or_default())
}

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
    wish: &DeliveryClaim,
) -> Result<Option<Open>, StoreError> {
    let now = step.now.wall;
    let room = lane.room(step.db, wish.per_lane, now)?;
    if room == 0 {
        lane.park(step.db, now)?;
        return Ok(None);
    }
    let waiting = lane.ready(step.db, now, room.min(wish.max))?;
    if waiting.is_empty() {
        lane.refresh(step.db, step.now.wall)?;
        return Ok(None);
    }
    Ok(Some(Open { lane, receiver, waiting, room, taken: 0 }))
}

/// Decides how many each lane hands out: one each in turn, until there are
/// `max`.
fn share_out(open: &mut [Open], max: usize) {
    let mut left = max;
    let mut round = 0;
    while left > 0 && open.iter().any(|lane| lane.waiting.len() > round) {
        for lane in open.iter_mut().filter(|lane| lane.waiting.len() > round).take(left) {
            lane.taken += 1;
            left -= 1;
        }
        round += 1;
    }
}

fn take_from(
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

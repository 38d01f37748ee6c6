//! Walking over all jobs that have bytes, a bounded stretch at a time, so
//! that a large folder is neither listed at once nor looked at only in front.

use std::io;

use super::ORPHAN_AGE;
use crate::domain::{JobId, Timestamp};

/// Jobs to look at in one stretch, give or take a shard.
const STRETCH: usize = 20_000;

/// Where the walk stands: in a shard, behind a job.
#[derive(Debug, Default)]
pub(super) struct Walk {
    shard: u8,
    behind: Option<JobId>,
}

impl Walk {
    /// The next jobs, at most `limit`, whose id is older than [`ORPHAN_AGE`].
    /// `list` gives the jobs of a shard. A stretch ends at the last shard at
    /// the latest; the next begins again at the first.
    pub(super) fn next(
        &mut self,
        limit: usize,
        now: Timestamp,
        mut list: impl FnMut(u8) -> io::Result<Vec<JobId>>,
    ) -> io::Result<Vec<JobId>> {
        let mut aged = Vec::new();
        let mut looked_at = 0;
        loop {
            let mut jobs = list(self.shard)?;
            looked_at += jobs.len();
            jobs.retain(|job| self.behind.is_none_or(|behind| *job > behind) && is_aged(*job, now));
            jobs.sort_unstable();
            let room = limit - aged.len();
            if jobs.len() > room {
                jobs.truncate(room);
                self.behind = jobs.last().copied().or(self.behind);
                aged.append(&mut jobs);
                return Ok(aged);
            }
            aged.append(&mut jobs);
            *self = Self { shard: self.shard.wrapping_add(1), behind: None };
            if self.shard == 0 || looked_at >= STRETCH {
                return Ok(aged);
            }
        }
    }
}

fn is_aged(job: JobId, now: Timestamp) -> bool {
    now.since(made_at(job)) > ORPHAN_AGE
}

/// The least id that a job no older than [`ORPHAN_AGE`] can have.
pub(super) fn oldest_young(now: Timestamp) -> JobId {
    let age = u64::try_from(ORPHAN_AGE.as_millis()).unwrap_or(u64::MAX);
    let made_at = now.0.saturating_sub(age);
    JobId::earliest(Timestamp(made_at))
}

/// When an id was made: the first 48 bits of a UUID version 7 are
/// milliseconds since the Unix epoch (RFC 9562, section 5.7).
fn made_at(job: JobId) -> Timestamp {
    let [a, b, c, d, e, f, ..] = *job.as_uuid().as_bytes();
    Timestamp(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn job(made_at: u64, last: u8) -> JobId {
        let digits = format!("{made_at:012x}");
        format!("{}-{}-7000-8000-0000000000{last:02x}", &digits[..8], &digits[8..]).parse().unwrap()
    }

    /// Walks once around in stretches of `limit`.
    fn around(limit: usize, jobs: &[JobId]) -> Vec<JobId> {
        let mut walk = Walk::default();
        let mut all = Vec::new();
        loop {
            let next = walk
                .next(limit, NOW, |shard| {
                    Ok(jobs
                        .iter()
                        .rev()
                        .copied()
                        .filter(|job| job.as_uuid().as_bytes()[15] == shard)
                        .collect())
                })
                .unwrap();
            assert!(next.len() <= limit);
            all.extend(next);
            if walk.shard == 0 && walk.behind.is_none() {
                return all;
            }
        }
    }

    #[test]
    fn an_id_tells_when_it_was_made() {
        assert_eq!(made_at(job(NOW.0, 3)), NOW);
        let age = Timestamp::now().since(made_at(JobId::generate()));
        assert!(age < Duration::from_secs(60), "{age:?}");
    }

    #[test]
    fn only_jobs_past_the_orphan_age_are_aged() {
        let age = u64::try_from(ORPHAN_AGE.as_millis()).unwrap();
        assert!(!is_aged(job(NOW.0 + 1_000, 0), NOW));
        assert!(!is_aged(job(NOW.0 - age, 0), NOW));
        assert!(is_aged(job(NOW.0 - age - 1, 0), NOW));
    }

    #[test]
    fn a_walk_meets_every_aged_job_once_however_short_its_stretches() {
        let jobs: Vec<_> =
            (0..40).map(|n| job(1_000 + n, [0, 0, 7, 255][n as usize % 4])).collect();
        let young = job(NOW.0, 7);
        for limit in [1, 2, 3, 7, 40, 1_000] {
            let mut met = around(limit, &[jobs.as_slice(), &[young]].concat());
            met.sort_unstable();
            assert_eq!(met, jobs, "{limit}");
        }
    }

    #[test]
    fn a_shard_that_cannot_be_listed_leaves_the_walk_where_it_was() {
        let mut walk = Walk { shard: 9, behind: None };
        assert!(walk.next(5, NOW, |_| Err(io::ErrorKind::PermissionDenied.into())).is_err());
        assert_eq!(walk.shard, 9);
    }
}

//! Which keys a job's data has, as far as Rust names them, and in which part
//! of the store each thing lives; the scripts build the rest from the same
//! prefix (`scripts/parts/prelude.lua`).

use std::num::NonZeroU16;

use crate::domain::{ItemRef, JobId};
use crate::store::CacheKey;

/// A part of the store whose keys all lie in one hash slot. Jobs never span
/// shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Shard(u16);

impl Shard {
    /// Where all lives that is there once: API keys, endpoints with their
    /// deliveries, announced models, and how the switches stand.
    pub(crate) const HOME: Self = Self(0);

    /// The key that every script declares; it holds the shard's counters.
    pub(crate) fn meta(self) -> String {
        format!("{{aisle:{}}}:meta", self.0)
    }

    /// The channel on which scripts tell of a topic.
    pub(crate) fn channel(self, topic: Topic) -> String {
        format!("{{aisle:{}}}:{}", self.0, topic.as_str())
    }

    /// What the keys of callers' keys look like, all of them.
    pub(super) fn callers_keys(self) -> String {
        format!("{{aisle:{}}}:key:*:*", self.0)
    }

    /// What the keys begin with that say what a tenant's endpoints want.
    pub(super) fn endpoints_wants(self) -> String {
        format!("{{aisle:{}}}:wants:", self.0)
    }

    /// A job's key.
    pub(super) fn job(self, id: &JobId) -> String {
        format!("{{aisle:{}}}:job:{id}", self.0)
    }

    /// The key of a job's outcomes.
    pub(super) fn results(self, id: &JobId) -> String {
        format!("{{aisle:{}}}:res:{id}", self.0)
    }

    /// An uploaded image's key.
    pub(crate) fn blob(self, item: ItemRef) -> String {
        format!("{{aisle:{}}}:b:{item}", self.0)
    }
}

/// What scripts tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    /// `ended <job>`, for those who wait for jobs.
    Jobs,
    /// `changed <job>`, for those who follow jobs on their way there.
    Changes,
    /// `<model>`, for workers.
    Work,
    /// For senders of webhooks.
    Deliveries,
}

impl Topic {
    /// Each of them.
    const ALL: [Self; 4] = [Self::Jobs, Self::Changes, Self::Work, Self::Deliveries];

    /// Of what a channel tells.
    pub(crate) fn of_channel(name: &str) -> Option<Self> {
        let (_, topic) = name.rsplit_once(':')?;
        Self::ALL.into_iter().find(|known| known.as_str() == topic)
    }

    /// What its channels' names end with.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Changes => "changes",
            Self::Work => "work",
            Self::Deliveries => "deliveries",
        }
    }
}

/// Into how many shards the store is parted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shards(NonZeroU16);

impl Shards {
    /// So many.
    pub(crate) const fn new(count: NonZeroU16) -> Self {
        Self(count)
    }

    /// How many.
    pub(crate) const fn count(self) -> u16 {
        self.0.get()
    }

    /// Where a job lives: the one place that decides it.
    pub(crate) fn of(self, job: &JobId) -> Shard {
        Shard(job.route() % self.0)
    }

    /// Where something lives that has a name and no job: spread evenly, the
    /// same in every process (FNV-1a).
    pub(crate) fn of_name(self, name: &str) -> Shard {
        let hash = name
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        Shard((hash % u32::from(self.count())) as u16)
    }

    /// Where an answer is kept: the one place that decides it. The key's bytes
    /// are spread evenly, so some of them will do.
    pub(crate) fn of_answer(self, key: &CacheKey) -> Shard {
        let [a, b, c, d, ..] = *key.as_bytes();
        Shard((u32::from_be_bytes([a, b, c, d]) % u32::from(self.count())) as u16)
    }

    /// A shard's part of something that is divided among all, such as a limit:
    /// together they are the whole.
    pub(crate) fn part_of(self, whole: u64, shard: Shard) -> u64 {
        let count = u64::from(self.count());
        whole / count + u64::from(u64::from(shard.0) < whole % count)
    }

    /// The first shards, so many.
    pub(super) fn up_to(count: u16) -> impl DoubleEndedIterator<Item = Shard> + Clone {
        (0..count).map(Shard)
    }

    /// All of them.
    pub(crate) fn all(self) -> impl DoubleEndedIterator<Item = Shard> + Clone {
        Self::up_to(self.count())
    }

    /// All of them, beginning with that of the turn.
    pub(crate) fn beginning_at(self, turn: usize) -> impl Iterator<Item = Shard> {
        let first = turn % usize::from(self.count());
        self.all().cycle().skip(first).take(usize::from(self.count()))
    }

    /// All but the home.
    pub(crate) fn abroad(self) -> impl Iterator<Item = Shard> {
        self.all().skip(1)
    }

    /// Parts things by the shard of their job: for each shard that has any,
    /// their places in the list.
    pub(crate) fn part<T>(
        self,
        things: &[T],
        job: impl Fn(&T) -> JobId,
    ) -> Vec<(Shard, Vec<usize>)> {
        Self::part_by(things, |thing| self.of(&job(thing)))
    }

    /// Parts things by the shard in which each is: for each shard that has
    /// any, their places in the list.
    pub(crate) fn part_by<T>(
        things: &[T],
        shard: impl Fn(&T) -> Shard,
    ) -> Vec<(Shard, Vec<usize>)> {
        let mut parts: Vec<(Shard, Vec<usize>)> = Vec::new();
        for (place, thing) in things.iter().enumerate() {
            let shard = shard(thing);
            match parts.iter_mut().find(|(of, _)| *of == shard) {
                Some((_, places)) => places.push(place),
                None => parts.push((shard, vec![place])),
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shards(count: u16) -> Shards {
        Shards::new(NonZeroU16::new(count).unwrap())
    }

    #[test]
    fn a_callers_key_and_every_job_of_it_share_a_shard() {
        let (tenant, other) = ("shop".parse().unwrap(), "shed".parse().unwrap());
        for count in [1, 2, 3, 16, 1_000] {
            let shards = shards(count);
            let of = |tenant, key: &str| shards.of(&JobId::for_key(tenant, key));
            for key in ["a", "b", "order-17"] {
                assert_eq!(of(&tenant, key), of(&tenant, key));
            }
        }
        let routes = |tenant| {
            let keys = (0..100).map(move |n: u32| n.to_string());
            keys.map(|key| JobId::for_key(tenant, &key).route()).collect::<Vec<_>>()
        };
        assert_ne!(routes(&tenant), routes(&other));
    }

    #[test]
    fn jobs_names_and_answers_spread_over_all_shards() {
        let shards = shards(4);
        let (mut jobs, mut names, mut answers) = ([0; 4], [0; 4], [0; 4]);
        let tenant = "shop".parse().unwrap();
        for n in 0..4_000_u16 {
            let [high, low] = n.to_be_bytes();
            let mut picture = [high; 32];
            picture[0] = low;
            let key = CacheKey::new(&tenant, &picture, &[0; 32]);
            answers[usize::from(shards.of_answer(&key).0)] += 1;
            jobs[usize::from(shards.of(&JobId::generate()).0)] += 1;
            names[usize::from(shards.of_name(&format!("tenant:{n}")).0)] += 1;
        }
        for count in jobs.into_iter().chain(names).chain(answers) {
            assert!((800..1_200).contains(&count), "{jobs:?} {names:?} {answers:?}");
        }
    }

    #[test]
    fn the_parts_of_a_limit_are_the_whole_together() {
        for (count, whole) in [(1, 7), (3, 7), (4, 0), (16, 100_000), (1_000, 3)] {
            let shards = shards(count);
            let parts: Vec<u64> = shards.all().map(|shard| shards.part_of(whole, shard)).collect();
            assert_eq!(parts.iter().sum::<u64>(), whole);
            assert!(parts.iter().max().unwrap() - parts.iter().min().unwrap() <= 1, "{parts:?}");
        }
    }

    #[test]
    fn each_turn_begins_with_another_shard_and_visits_all() {
        let shards = shards(3);
        let visited = |turn| shards.beginning_at(turn).map(|shard| shard.0).collect::<Vec<_>>();
        assert_eq!(visited(0), [0, 1, 2]);
        assert_eq!(visited(4), [1, 2, 0]);
        assert_eq!(visited(usize::MAX), [0, 1, 2]);
    }

    #[test]
    fn things_are_parted_with_their_places() {
        let shards = shards(4);
        let jobs: Vec<JobId> = (0..50).map(|_| JobId::generate()).collect();
        let parts = shards.part(&jobs, |job| *job);
        let mut places: Vec<usize> = parts.iter().flat_map(|(_, places)| places.clone()).collect();
        assert!(parts.iter().all(|(shard, of)| of.iter().all(|n| shards.of(&jobs[*n]) == *shard)));
        places.sort_unstable();
        assert_eq!(places, (0..50).collect::<Vec<_>>());
    }
}

//! Who goes first: bands, and tenants inside a band.

use aisle_shared::domain::{NewJob, Priority, TenantId};
use aisle_shared::store::submit;
use aisle_tests::fixtures::{items, job, job_in, job_of};

use crate::world::{World, jobs};

/// Whose items come, one claim each, in order. Needs jobs told apart by tenant.
async fn turns(world: &World, claims: usize, of: &[&NewJob]) -> Vec<TenantId> {
    let mut turns = Vec::new();
    for _ in 0..claims {
        let id = world.claim_one().await.lease.item.job;
        let new = of.iter().find(|new| new.id == id).expect("a job of the test");
        turns.push(new.tenant.clone());
    }
    turns
}

fn count(turns: &[TenantId], new: &NewJob) -> usize {
    turns.iter().filter(|tenant| **tenant == new.tenant).count()
}

pub(crate) async fn bands_are_strict_but_every_eighth_claim_is_reversed(world: &World) {
    let urgent = job_in(Priority::Interactive);
    let bulk = job_in(Priority::Bulk);
    world.enqueue(&bulk, 50).await;
    world.enqueue(&urgent, 50).await;
    let mut claimed = Vec::new();
    for _ in 0..32 {
        claimed.push(world.claim_one().await.lease.item.job);
    }
    let reversed: Vec<_> = (0..32).filter(|turn| claimed[*turn] == bulk.id).collect();
    assert_eq!(reversed.len(), 4, "bulk had turns {reversed:?}");
    assert!(reversed.windows(2).all(|pair| pair[1] - pair[0] == 8), "bulk had {reversed:?}");
    assert!(claimed.iter().all(|id| [urgent.id, bulk.id].contains(id)));
}

pub(crate) async fn a_claim_with_room_goes_on_to_the_next_band(world: &World) {
    let [urgent, normal, bulk] = Priority::ALL.map(job_in);
    for new in [&bulk, &normal, &urgent] {
        world.enqueue(new, 2).await;
    }
    let expected = [urgent.id, urgent.id, normal.id, normal.id, bulk.id];
    assert_eq!(jobs(&world.claim(5).await), expected);
    assert_eq!(jobs(&world.claim(5).await), [bulk.id]);
}

pub(crate) async fn one_item_does_not_wait_behind_two_thousand_of_another_tenant(world: &World) {
    let (many, single) = (job_of("many"), job_of("single"));
    submit(&*world.store, &many, &items(2_000)).await.unwrap();
    world.claim(500).await;
    world.enqueue(&single, 1).await;
    let turns = turns(world, 3, &[&many, &single]).await;
    assert!(turns.contains(&single.tenant), "the single item still waits");
}

pub(crate) async fn tenants_of_equal_weight_share_equally(world: &World) {
    let jobs = [job_of("a"), job_of("b"), job_of("c")];
    for new in &jobs {
        world.enqueue(new, 100).await;
    }
    let turns = turns(world, 90, &jobs.each_ref()).await;
    for new in &jobs {
        let share = count(&turns, new);
        assert!((29..=31).contains(&share), "{} had {share} of 90", new.tenant);
    }
}

pub(crate) async fn a_tenant_with_weight_three_gets_three_shares(world: &World) {
    let heavy = NewJob { weight: 3, ..job_of("heavy") };
    let light = job_of("light");
    for new in [&light, &heavy] {
        world.enqueue(new, 150).await;
    }
    let turns = turns(world, 100, &[&heavy, &light]).await;
    let share = count(&turns, &heavy);
    assert!((73..=77).contains(&share), "the heavy tenant had {share} of 100");
}

pub(crate) async fn an_idle_tenant_saves_up_no_credit(world: &World) {
    let (busy, idle) = (job_of("busy"), job_of("idle"));
    world.enqueue(&busy, 200).await;
    world.claim(100).await;
    world.enqueue(&idle, 100).await;
    let turns = turns(world, 40, &[&busy, &idle]).await;
    let share = count(&turns, &idle);
    assert!((19..=22).contains(&share), "the newcomer had {share} of 40");
}

pub(crate) async fn a_busy_tenant_pays_no_debt_when_it_comes_again(world: &World) {
    let (first, other) = (job_of("a"), job_of("b"));
    world.enqueue(&first, 200).await;
    world.finish().await;
    let second = job_of("a");
    world.enqueue(&second, 100).await;
    world.enqueue(&other, 100).await;
    let turns = turns(world, 40, &[&second, &other]).await;
    let share = count(&turns, &second);
    assert!((19..=21).contains(&share), "the tenant of before had {share} of 40");
}

pub(crate) async fn a_flood_in_one_model_delays_no_other(world: &World) {
    submit(&*world.store, &job(), &items(2_000)).await.unwrap();
    let bags = NewJob { model: crate::world::other_model(), ..job() };
    world.enqueue(&bags, 1).await;
    let claimed = world.store.claim(&crate::world::request("bags", 1)).await.unwrap();
    assert_eq!(jobs(&claimed), [bags.id]);
}

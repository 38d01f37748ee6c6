use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::pipeline::pace::Begin;

const LONG: Duration = Duration::from_secs(3_600);
const MAX_WAIT: Duration = Duration::from_millis(2);

fn ready(replicas: usize) -> (Arrivals<u32>, Ready<u32>, Expected) {
    let expected = Expected::default();
    let (arrivals, ready) = Ready::new(replicas, expected.clone(), MAX_WAIT);
    (arrivals, ready, expected)
}

fn taken(ready: &Ready<u32>, taker: Taker) -> Option<Batch<u32>> {
    match ready.next(taker, &mut Pace::of(&[1, 2], Begin::Largest), Duration::ZERO) {
        Next::Batch(batch) => Some(batch),
        Next::Nothing | Next::Over => None,
    }
}

#[test]
fn an_image_that_is_alone_is_for_the_first_thread() {
    let (arrivals, ready, _) = ready(1);
    let _counted = (ready.taker(), ready.loaded());
    arrivals.send(7).unwrap();
    assert!(taken(&ready, Taker::Replica).is_none());
    assert_eq!(taken(&ready, Taker::First).unwrap().images, [7]);
}

#[test]
fn images_of_which_more_are_there_or_coming_or_running_are_for_replicas() {
    let (arrivals, ready, expected) = ready(1);
    let _counted = (ready.taker(), ready.loaded());
    for image in 0..2 {
        arrivals.send(image).unwrap();
    }
    assert!(taken(&ready, Taker::First).is_none());
    let running = taken(&ready, Taker::Replica).unwrap();
    assert_eq!(running.images, [0, 1]);
    arrivals.send(2).unwrap();
    assert!(taken(&ready, Taker::First).is_none());
    assert_eq!(taken(&ready, Taker::Replica).unwrap().images, [2]);
    drop(running);
    let _coming = expected.one();
    arrivals.send(3).unwrap();
    assert!(taken(&ready, Taker::First).is_none());
}

#[test]
fn until_all_replicas_are_in_memory_the_first_thread_takes_part() {
    let (arrivals, ready, _) = ready(2);
    let _counted = (ready.taker(), ready.loaded());
    for image in 0..4 {
        arrivals.send(image).unwrap();
    }
    let first = taken(&ready, Taker::First).unwrap();
    let replica = taken(&ready, Taker::Replica).unwrap();
    assert_eq!((first.images, replica.images), (vec![0, 1], vec![2, 3]));
}

#[test]
fn without_replicas_the_first_thread_takes_all() {
    let (arrivals, ready, _) = ready(0);
    let _taker = ready.taker();
    for image in 0..3 {
        arrivals.send(image).unwrap();
    }
    let running = taken(&ready, Taker::First).unwrap();
    assert_eq!(running.images, [0, 1]);
    assert_eq!(taken(&ready, Taker::First).unwrap().images, [2]);
}

#[test]
fn replicas_are_wanted_once_an_image_waits_for_another() {
    let (arrivals, ready, _) = ready(1);
    let _taker = ready.taker();
    let waiting = ready.clone();
    let wanted = std::thread::spawn(move || waiting.is_pressed());
    arrivals.send(0).unwrap();
    let _running = taken(&ready, Taker::First).unwrap();
    arrivals.send(1).unwrap();
    assert!(wanted.join().unwrap());
    let waiting = ready.clone();
    drop((taken(&ready, Taker::First), arrivals));
    assert!(!waiting.is_pressed(), "no more will come");
}

#[test]
fn what_no_thread_is_left_for_is_refused() {
    let (arrivals, ready, _) = ready(0);
    let taker = ready.taker();
    arrivals.send(0).unwrap();
    drop(taker);
    assert_eq!(*arrivals.send(1).unwrap_err(), 1);
}

#[test]
fn every_image_is_taken_once_whoever_is_woken_for_it() {
    let images = 20_000;
    let (arrivals, ready, expected) = ready(2);
    let seen: Vec<AtomicUsize> = (0..images).map(|_| AtomicUsize::new(0)).collect();
    std::thread::scope(|scope| {
        for taker in [Taker::First, Taker::Replica, Taker::Replica] {
            let (ready, seen) = (ready.clone(), &seen);
            let counted = (ready.taker(), (taker == Taker::Replica).then(|| ready.loaded()));
            scope.spawn(move || {
                let _counted = counted;
                let mut pace = Pace::of(&[1, 2], Begin::Largest);
                while let Next::Batch(batch) = ready.next(taker, &mut pace, LONG) {
                    for image in &batch.images {
                        seen[*image as usize].fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for image in 0..images {
            // What is on its way may end there while threads decide.
            let coming = (image % 3 != 0).then(|| expected.one());
            arrivals.send(image).unwrap();
            if image % 5 == 0 {
                std::thread::yield_now();
            }
            drop(coming);
        }
        drop(arrivals);
    });
    assert!(seen.iter().all(|times| times.load(Ordering::Relaxed) == 1));
}

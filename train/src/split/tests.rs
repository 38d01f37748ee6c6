use std::collections::BTreeMap;

use super::*;
use crate::dataset::Place;

fn picture(name: &str, category: &str, part: Option<Part>) -> Picture {
    Picture {
        name: name.to_owned(),
        place: Place::File(name.into()),
        category: Category::new([category]).unwrap(),
        part,
    }
}

/// A content of its own for each number.
fn content(number: u32) -> Fingerprint {
    let mut digest = [0; 32];
    digest[..4].copy_from_slice(&number.to_be_bytes());
    Fingerprint { file: digest, pixels: digest }
}

/// So many pictures of each category, all different.
fn shop(counts: &[(&str, usize)]) -> Vec<(Picture, Fingerprint)> {
    let pictures = counts.iter().flat_map(|(category, count)| {
        (0..*count).map(move |nth| picture(&format!("{category}/{nth}"), category, None))
    });
    (0..).zip(pictures).map(|(number, picture)| (picture, content(number))).collect()
}

fn split(pictures: &[(Picture, Fingerprint)], rules: &Rules) -> Result<Split, SplitError> {
    let pictures: Vec<_> = pictures.iter().map(|(picture, print)| (picture, *print)).collect();
    Split::of(&pictures, rules)
}

#[test]
fn every_category_is_in_every_part_by_its_share() {
    let pictures = shop(&[("Hats", 100), ("Shoes", 20)]);
    let split = split(&pictures, &Rules::default()).unwrap();
    let mut counts: BTreeMap<(String, Part), usize> = BTreeMap::new();
    for part in Part::ALL {
        for place in split.places(part) {
            *counts.entry((pictures[place].0.category.to_string(), part)).or_default() += 1;
        }
    }
    let count = |category: &str, part| counts[&(category.to_owned(), part)];
    assert_eq!(Part::ALL.map(|part| count("Hats", part)), [70, 15, 15]);
    assert_eq!(Part::ALL.map(|part| count("Shoes", part)), [14, 3, 3]);
}

#[test]
fn the_seed_alone_decides_who_plays_which_part() {
    let pictures = shop(&[("Hats", 50), ("Shoes", 50)]);
    let rules = Rules::default();
    let first = split(&pictures, &rules).unwrap().fates;
    assert_eq!(split(&pictures, &rules).unwrap().fates, first);
    let turned: Vec<_> = pictures.iter().rev().cloned().collect();
    let mut of_turned = split(&turned, &rules).unwrap().fates;
    of_turned.reverse();
    assert_eq!(of_turned, first, "the order of the files decided");
    let other = Rules { seed: 1, ..rules };
    assert_ne!(split(&pictures, &other).unwrap().fates, first);
}

#[test]
fn the_same_content_never_stands_in_two_parts() {
    let mut pictures = shop(&[("Hats", 40), ("Shoes", 40)]);
    for place in 0..20 {
        let (original, content) = pictures[place].clone();
        let copy = Picture { name: format!("{}, again", original.name), ..original };
        // Saved again: other bytes, the same pixels.
        pictures.push((copy, Fingerprint { file: [9; 32], ..content }));
    }
    let split = split(&pictures, &Rules::default()).unwrap();
    let used = Part::ALL.iter().flat_map(|part| split.places(*part));
    let mut contents: Vec<_> = used.map(|place| pictures[place].1.pixels).collect();
    let before = contents.len();
    contents.sort_unstable();
    contents.dedup();
    assert_eq!((before, contents.len()), (80, 80));
    assert_eq!(split.fates[80], Fate::DuplicateOf(0));
}

#[test]
fn pictures_of_two_categories_at_once_are_not_used() {
    let mut pictures = shop(&[("Hats", 20), ("Shoes", 20)]);
    let (_, content) = pictures[0];
    pictures.push((picture("a hat among shoes", "Shoes", None), content));
    let split = split(&pictures, &Rules::default()).unwrap();
    assert_eq!(split.fates[0], Fate::ContradictedBy(40));
    assert_eq!(split.fates[40], Fate::ContradictedBy(0));
}

#[test]
fn small_categories_are_left_out_and_told() {
    let pictures = shop(&[("Hats", 20), ("Scarves", 3), ("Shoes", 20)]);
    let split = split(&pictures, &Rules::default()).unwrap();
    let scarves = Category::new(["Scarves"]).unwrap();
    assert_eq!(split.left_out, [(scarves.clone(), 3)]);
    assert!(!split.categories.contains(&scarves));
    assert_eq!(split.fates[20], Fate::CategoryLeftOut);
}

#[test]
fn a_copy_in_a_given_part_that_judges_leaves_the_one_to_learn_from_out() {
    let mut pictures = shop(&[("Hats", 20), ("Shoes", 20)]);
    for (nth, (picture, _)) in pictures.iter_mut().enumerate() {
        picture.part = Some(if nth % 4 == 0 { Part::Validation } else { Part::Train });
    }
    pictures[1].1 = pictures[0].1;
    let split = split(&pictures, &Rules::default()).unwrap();
    assert_eq!(split.fates[0], Fate::Used(Part::Validation));
    assert_eq!(split.fates[1], Fate::DuplicateOf(0));
    assert_eq!(split.places(Part::Validation).count(), 10);
    assert_eq!(split.places(Part::Test).count(), 0, "nothing is cut from a split that is given");
}

#[test]
fn a_given_split_without_validation_gets_one_from_what_is_learned_from() {
    let mut pictures = shop(&[("Hats", 20), ("Shoes", 20)]);
    for (nth, (picture, _)) in pictures.iter_mut().enumerate() {
        picture.part = Some(if nth % 4 == 0 { Part::Test } else { Part::Train });
    }
    let split = split(&pictures, &Rules::default()).unwrap();
    assert_eq!(Part::ALL.map(|part| split.places(part).count()), [26, 4, 10]);
}

#[test]
fn rules_that_leave_nothing_are_refused() {
    let pictures = shop(&[("Hats", 20), ("Shoes", 20)]);
    let error = |rules: Rules| split(&pictures, &rules).unwrap_err().to_string();
    assert!(error(Rules { test: 0.9, ..Rules::default() }).contains("below 1"));
    assert!(error(Rules { validation: 0.0, ..Rules::default() }).contains("above 0"));
    assert!(error(Rules { minimum: 21, ..Rules::default() }).contains("two are needed"));
}

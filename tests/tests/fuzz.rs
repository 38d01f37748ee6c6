//! The fuzz targets over their corpora, on every build: seeds, and whatever
//! the fuzzer has once found.

#![expect(clippy::expect_used, reason = "a corpus that cannot be read has failed the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use aisle_tests::fuzz::TARGETS;
use aisle_tests::places::{files_below, repository};

fn fuzz_folder() -> PathBuf {
    repository().join("tests/fuzz")
}

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let files = files_below(&fuzz_folder().join("corpus").join(target));
    files.into_iter().map(|file| (file.clone(), fs::read(file).expect("a file"))).collect()
}

#[test]
fn every_target_takes_its_corpus() {
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        assert!(!corpus.is_empty(), "{name} has no corpus");
        for (file, bytes) in corpus {
            assert!(bytes.len() <= 4_096, "{} is too large to keep", file.display());
            println!("{}", file.display());
            target(&bytes);
        }
    }
}

#[test]
fn every_target_takes_its_corpus_cut_and_bent() {
    for (name, target) in TARGETS {
        for (file, bytes) in corpus(name) {
            println!("{}", file.display());
            // At most some hundred places of each, spread over the whole.
            for place in (0..bytes.len()).step_by(bytes.len() / 100 + 1) {
                target(&bytes[..place]);
                for flip in [0x01, 0x20, 0x80] {
                    let mut bent = bytes.clone();
                    bent[place] ^= flip;
                    target(&bent);
                }
            }
        }
    }
}

#[test]
fn the_fuzzer_knows_every_target() {
    let names: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut programs = BTreeSet::new();
    for file in files_below(&fuzz_folder().join("fuzz_targets")) {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).expect("a file");
        assert!(text.contains(&format!("aisle_tests::fuzz::{name}(")), "{name} runs another");
        programs.insert(name);
    }
    assert_eq!(programs, names);
    let manifest = fs::read_to_string(fuzz_folder().join("Cargo.toml")).expect("a manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let bins = manifest["bin"].as_array().expect("programs");
    let bins = bins.iter().map(|bin| bin["name"].as_str().expect("a name").to_owned());
    assert_eq!(bins.collect::<BTreeSet<_>>(), names);
}

//! Children that die, hang or lie.

use std::num::NonZeroUsize;
use std::process::Command;
use std::time::{Duration, Instant};

use aisle_shared::domain::ErrorCode;
use aisle_shared::image_probe::ImageLimits;
use aisle_worker::decoder::{Decoder, DecoderSettings, Program, Refusal};
use image::ImageFormat;

use crate::chunks::{encoded, honest};
use crate::rig::{
    FRAMING, note, noted, notes, outcome, program, ready, script, seen, settings, start,
};

fn picture() -> Vec<u8> {
    encoded(honest(40, 30), ImageFormat::Png)
}

/// A child that says it is ready, waits for a question, and then does that.
fn asked_then(what: &str) -> Program {
    script(&format!("{} head -c 1 <&0 >/dev/null; {what}", ready()))
}

fn hurried(program: Program) -> DecoderSettings {
    DecoderSettings { timeout: Duration::from_millis(300), ..settings(program) }
}

pub(crate) fn signal(name: &str, process: u32) {
    let sent = Command::new("kill").args([name, &process.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill {name} {process}");
}

#[test]
fn an_image_whose_decoder_dies_twice_has_crashed_it() {
    for death in ["kill -SEGV $$", "kill -ABRT $$", "kill -KILL $$", "exit 0", "exit 3"] {
        let decoder = start(&settings(asked_then(death)));
        assert_eq!(seen(&decoder, &picture()), Err(ErrorCode::DecodeCrashed), "{death}");
        // The place is free again, and the next image has a child of its own.
        assert_eq!(seen(&decoder, &picture()), Err(ErrorCode::DecodeCrashed), "{death}");
    }
}

#[test]
fn an_image_that_is_not_decoded_in_time_fails_and_its_child_is_ended() {
    let (_folder, note) = note();
    let text = asked_then("while :; do :; done").arguments.remove(1);
    let text = format!("echo $$ >> {}; {}", note.display(), text.to_string_lossy());
    let decoder = start(&hurried(script(&text)));
    let asked = Instant::now();
    assert_eq!(seen(&decoder, &picture()), Err(ErrorCode::DecodeTimeout));
    // 300 ms by design; the rest is for a machine that is busy.
    assert!(asked.elapsed() < Duration::from_secs(8), "it took {:?}", asked.elapsed());
    let child = notes(&note)[0];
    assert!(!std::path::Path::new(&format!("/proc/{child}")).exists(), "it still runs");
}

#[test]
fn a_child_that_answers_drop_by_drop_is_late_all_the_same() {
    let drip = "while :; do printf '\\001' >&0; sleep 0.05; done";
    // A length of 65,793 bytes would be refused at once: so first an honest one.
    let decoder =
        start(&hurried(asked_then(&format!("printf '\\000\\001\\000\\000' >&0; {drip}"))));
    assert_eq!(seen(&decoder, &picture()), Err(ErrorCode::DecodeTimeout));
}

#[test]
fn a_child_that_answers_nonsense_is_not_believed() {
    let answer = |json: &str| {
        let length: String = u32::try_from(json.len())
            .unwrap()
            .to_le_bytes()
            .map(|byte| format!("\\{byte:03o}"))
            .concat();
        format!("printf '{length}{json}' >&0; head -c 150528 /dev/zero >&0; sleep 60")
    };
    for nonsense in [
        "printf 'HTTP/1.1 200 OK' >&0; sleep 60".to_owned(),
        answer("{}"),
        answer(r#"{"Failed":{"code":"no_such_code","detail":""}}"#),
    ] {
        let decoder = start(&settings(asked_then(&nonsense)));
        assert_eq!(seen(&decoder, &picture()), Err(ErrorCode::DecodeCrashed), "{nonsense}");
    }
    for lie in [
        r#"{"Framed":{"width":4000,"height":30,"resizing_us":1}}"#,
        r#"{"Framed":{"width":0,"height":0,"resizing_us":1}}"#,
        r#"{"Failed":{"code":"internal","detail":"not for a child to say"}}"#,
    ] {
        let decoder = start(&settings(asked_then(&answer(lie))));
        assert_eq!(seen(&decoder, &picture()), Err(ErrorCode::Undecodable), "{lie}");
    }
}

#[test]
fn a_child_that_was_killed_between_two_images_is_replaced() {
    let (_folder, note) = note();
    let decoder = start(&settings(noted(&note)));
    assert_eq!(seen(&decoder, &picture()), Ok((40, 30)));
    signal("-KILL", notes(&note)[0]);
    assert_eq!(seen(&decoder, &picture()), Ok((40, 30)));
    assert_eq!(notes(&note).len(), 2);
}

#[test]
fn a_child_that_is_killed_over_an_image_costs_the_image_nothing() {
    let (_folder, note) = note();
    let decoder = start(&settings(noted(&note)));
    let child = notes(&note)[0];
    // Stopped, it takes the question and answers nothing until it is killed.
    signal("-STOP", child);
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| seen(&decoder, &picture()));
        signal("-KILL", child);
        assert_eq!(asked.join().unwrap(), Ok((40, 30)));
    });
}

#[test]
fn a_child_that_hangs_blocks_its_place_for_the_deadline_only() {
    let (_folder, note) = note();
    let decoder =
        start(&DecoderSettings { timeout: Duration::from_secs(2), ..settings(noted(&note)) });
    signal("-STOP", notes(&note)[0]);
    assert_eq!(seen(&decoder, &picture()), Err(ErrorCode::DecodeTimeout));
    assert_eq!(seen(&decoder, &picture()), Ok((40, 30)));
}

#[test]
fn a_child_is_replaced_after_a_thousand_images() {
    let (_folder, note) = note();
    let decoder = start(&settings(noted(&note)));
    for _ in 0..1_001 {
        assert_eq!(seen(&decoder, &picture()), Ok((40, 30)));
    }
    assert_eq!(notes(&note).len(), 2);
}

#[test]
fn children_end_with_their_parent() {
    let (_folder, note) = note();
    let decoder = start(&settings(noted(&note)));
    let child = notes(&note)[0];
    drop(decoder);
    assert!(!std::path::Path::new(&format!("/proc/{child}")).exists(), "it still runs");
}

#[test]
fn one_crash_leaves_the_images_beside_it_alone() {
    let (_folder, note) = note();
    let children = NonZeroUsize::new(4).unwrap();
    let limits = ImageLimits::default();
    let decoder = Decoder::start(&settings(noted(&note)), limits, children).unwrap();
    let all = notes(&note);
    assert_eq!(all.len(), 4);
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let seen = outcome(decoder.frame(&picture(), &FRAMING));
                        assert_eq!(seen, Ok((40, 30)));
                    }
                })
            })
            .collect();
        signal("-KILL", all[0]);
        signal("-SEGV", all[1]);
        for asked in asked {
            asked.join().unwrap();
        }
    });
}

#[test]
fn without_any_child_an_image_is_put_off_and_the_trouble_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (children, link) = (folder.path().join("children"), folder.path().join("program"));
    std::os::unix::fs::symlink("/bin/sh", &link).unwrap();
    let decoder = start(&settings(Program { path: link.clone(), ..noted(&children) }));
    assert_eq!(decoder.trouble().get(), None);
    std::fs::rename(&link, folder.path().join("elsewhere")).unwrap();
    signal("-KILL", notes(&children)[0]);
    let refusal = decoder.frame(&picture(), &FRAMING).expect_err("no child");
    assert!(matches!(refusal, Refusal::Unavailable(_)), "{refusal}");
    let trouble = decoder.trouble();
    assert!(trouble.get().is_some_and(|why| why.contains("cannot be started")));
    assert!(decoder.look_again().is_err() && trouble.get().is_some());
    std::fs::rename(folder.path().join("elsewhere"), &link).unwrap();
    // It is over as soon as somebody looks, also where no image comes.
    decoder.look_again().unwrap();
    assert_eq!(trouble.get(), None);
    assert_eq!(seen(&decoder, &picture()), Ok((40, 30)));
}

#[test]
fn a_program_that_is_no_decoder_is_found_at_the_start() {
    let start = |program| {
        Decoder::start(&settings(program), ImageLimits::default(), NonZeroUsize::MIN)
            .expect_err("no decoder")
            .to_string()
    };
    let absent = Program { path: "/nowhere/aisle".into(), arguments: Vec::new() };
    assert!(start(absent).contains("/nowhere/aisle cannot be started"));
    assert!(start(script("exit 7")).contains("did not become ready: exit status: 7"));
    let other = Program { arguments: vec!["openapi".into()], ..program() };
    assert!(start(other).contains("did not become ready"));
}

//! What hostile images cost in memory, as the kernel counts it.

use aisle_worker::decoder::Decoder;
use image::ImageFormat;

use crate::chunks::{
    deflated_zeros, encoded, gif, honest, jpeg_of_scans, jpeg_segment, jpeg_with, png_chunk,
    png_with, riff_chunk, webp, webp_canvas, webp_picture,
};
use crate::rig::{note, noted, notes, seen, settings, start};

const MIB: u64 = 1 << 20;

/// The most memory that a process has had, in bytes (proc(5), `VmHWM`).
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// A child of its own for one image, and the memory that it took beside the
/// image's bytes.
fn cost(bytes: &[u8]) -> u64 {
    let (_folder, note) = note();
    let decoder: Decoder = start(&settings(noted(&note)));
    let child = notes(&note)[0];
    let before = peak(child);
    let _ = seen(&decoder, bytes);
    assert_eq!(notes(&note).len(), 1, "the child died");
    (peak(child) - before).saturating_sub(bytes.len() as u64)
}

#[test]
fn a_bomb_costs_no_more_than_48_mib() {
    let bomb = deflated_zeros(1 << 30);
    let text = |name, head: &[u8]| png_chunk(name, &[head, &bomb].concat());
    let exif = [&b"Exif\0\0II*\0\x08\0\0\0\xff\xff"[..], &[0; 65_000]].concat();
    let jpeg = encoded(honest(32, 32), ImageFormat::Jpeg);
    let junk = vec![riff_chunk(b"JUNK", b"x"); 100_000].concat();
    for (name, bytes) in [
        ("iCCP", png_with(1, &[text(b"iCCP", b"profile\0\0")])),
        ("zTXt", png_with(1, &[text(b"zTXt", b"Comment\0\0")])),
        ("iTXt", png_with(1, &[text(b"iTXt", b"Comment\0\x01\0en\0\0")])),
        ("eXIf", png_with(1, &[png_chunk(b"eXIf", &vec![0; 19 << 20])])),
        ("tiny chunks", png_with(1, &vec![png_chunk(b"tEXt", b"a\0b"); 100_000])),
        ("19 MB of EXIF", jpeg_with(&jpeg, &vec![jpeg_segment(0xe1, &exif); 300])),
        ("10,000 frames", gif((4, 4), 10_000)),
        ("a screen", gif((65_535, 65_535), 1)),
        ("1,000 scans", jpeg_of_scans(64, 64, 1_000)),
        ("unknown chunks", webp(&[webp_canvas(0, 4, 4), junk, webp_picture(4, 4)])),
    ] {
        let cost = cost(&bytes);
        println!("{name}: {:.1} MiB", cost as f64 / MIB as f64);
        assert!(cost <= 48 * MIB, "{name} took {} MiB", cost / MIB);
    }
}

#[test]
fn images_share_the_memory_that_is_set_aside() {
    use aisle_worker::decoder::DecoderSettings;
    // Room for one image of this size at a time: the other waits, and both end.
    let settings = DecoderSettings { memory: 64 * MIB, ..settings(crate::rig::program()) };
    let decoder = start(&settings);
    let picture = png_with(2_000, &[]);
    std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| seen(&decoder, &picture)));
        for one in both {
            assert_eq!(one.join().unwrap(), Ok((2_000, 2_000)));
        }
    });
}

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: {
        // The decoder catches the panics of the crates that it uses, so a
        // panic is a finding only where it gets out of the target.
        std::panic::set_hook(Box::new(|_| {}));
    },
    |bytes: &[u8]| aisle_tests::fuzz::decode(bytes)
);

//! What the speed of a network depends on besides the network.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::plan::Precision;

/// What is known of the processors.
const PROCESSORS: &str = "/proc/cpuinfo";

/// Where NVIDIA's driver tells of its GPUs, a folder each.
const GPUS: &str = "/proc/driver/nvidia/gpus";

/// A machine, as far as speed depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// The processor's name.
    pub(crate) processor: String,
    /// What the processor calculates in besides single precision.
    pub(crate) arithmetic: Vec<Precision>,
    /// The NVIDIA GPUs' names.
    pub(crate) gpus: Vec<String>,
}

impl Machine {
    /// The one that this process runs on.
    pub(crate) fn this() -> &'static Self {
        static THIS: OnceLock<Machine> = OnceLock::new();
        THIS.get_or_init(|| {
            let processors = fs::read_to_string(PROCESSORS).unwrap_or_default();
            Self {
                processor: processor(&processors),
                arithmetic: arithmetic(&processors),
                gpus: gpus(Path::new(GPUS)),
            }
        })
    }
}

/// A field of the first processor in `/proc/cpuinfo`.
fn field<'a>(cpuinfo: &'a str, name: &str) -> Option<&'a str> {
    let fields = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let mut named = fields.filter(|(key, _)| key.trim() == name);
    named.next().map(|(_, value)| value.trim())
}

/// 64-bit ARM tells a part number for each maker instead of a name.
fn processor(cpuinfo: &str) -> String {
    let number = |name| field(cpuinfo, name).unwrap_or("unknown");
    field(cpuinfo, "model name").map_or_else(
        || format!("{} {}", number("CPU implementer"), number("CPU part")),
        str::to_owned,
    )
}

/// From the processor's flags, as the kernel names them.
fn arithmetic(cpuinfo: &str) -> Vec<Precision> {
    let flags = field(cpuinfo, "flags").or_else(|| field(cpuinfo, "Features")).unwrap_or_default();
    let has = |wanted: &[&str]| flags.split_whitespace().any(|flag| wanted.contains(&flag));
    let mut found = Vec::new();
    if has(&["avx512_bf16", "amx_bf16", "bf16"]) {
        found.push(Precision::Bf16);
    }
    if has(&["avx512_fp16", "amx_fp16", "asimdhp"]) {
        found.push(Precision::Fp16);
    }
    found
}

fn gpus(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let texts = entries.filter_map(|gpu| fs::read_to_string(gpu.path().join("information")).ok());
    let mut names: Vec<String> =
        texts.filter_map(|text| field(&text, "Model").map(str::to_owned)).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_known_by_its_name_and_its_arithmetic() {
        let amd = "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx512_bf16 avx512f\n";
        assert_eq!(processor(amd), "AMD EPYC");
        assert_eq!(arithmetic(amd), [Precision::Bf16]);
        let arm = "Features\t: fp asimd asimdhp bf16\nCPU implementer\t: 0x41\nCPU part\t: 0xd4f\n";
        assert_eq!(processor(arm), "0x41 0xd4f");
        assert_eq!(arithmetic(arm), [Precision::Bf16, Precision::Fp16]);
        assert_eq!(arithmetic("flags : fpu avx2\n"), []);
    }

    #[test]
    fn gpus_are_known_by_their_models() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(gpus(&folder.path().join("none")), Vec::<String>::new());
        fs::create_dir(folder.path().join("0000:01:00.0")).unwrap();
        let information = folder.path().join("0000:01:00.0/information");
        fs::write(information, "Model: \t\t NVIDIA L4\nIRQ:   \t\t 35\n").unwrap();
        assert_eq!(gpus(folder.path()), ["NVIDIA L4"]);
    }
}

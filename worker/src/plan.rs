//! How a network is run: where, in which arithmetic, by how many threads.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;

use ort::ep::{
    ArbitrarilyConfigurableExecutionProvider as _, CUDA, ExecutionProvider as _,
    ExecutionProviderDispatch, OpenVINO, TensorRT,
};
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::session::SessionError;

/// Sessions of a network on processors at most.
const MOST_SESSIONS: usize = 4;

/// Bytes that the weights of such sessions may take: each has its own.
const COPIES: u64 = 512 << 20;

/// Where a network runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// ONNX Runtime's own CPU provider: the one that others are held against.
    #[default]
    Cpu,
    /// Intel's, for processors; needs the library of the OpenVINO wheel.
    OpenVino,
    /// NVIDIA's GPUs; needs the library of the GPU wheel.
    Cuda,
    /// NVIDIA's GPUs through TensorRT, which compiles each network; needs the
    /// library of the GPU wheel and TensorRT.
    TensorRt,
}

impl Provider {
    /// Each of them, the CPU's first.
    pub(crate) const ALL: [Self; 4] = [Self::Cpu, Self::OpenVino, Self::Cuda, Self::TensorRt];

    /// The name that stands on results.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::OpenVino => "openvino",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
        }
    }

    /// Whether the loaded library was built with it. Whether it works is only
    /// known once a session has run.
    pub(crate) fn offered(self) -> bool {
        match self {
            Self::Cpu => Ok(true),
            Self::OpenVino => OpenVINO::is_available(),
            Self::Cuda => CUDA::is_available(),
            Self::TensorRt => TensorRT::is_available(),
        }
        .unwrap_or(false)
    }

    /// The arithmetics that it can be asked for on this machine, `fp32` first.
    /// OpenVINO takes another in silence where the processor has none, so it
    /// is asked only for what the processor has.
    pub(crate) fn precisions(self, machine: &Machine) -> Vec<Precision> {
        match self {
            Self::Cpu | Self::Cuda => vec![Precision::Fp32],
            Self::OpenVino => {
                let has = |precision| machine.arithmetic.contains(&precision);
                let others = [Precision::Bf16, Precision::Fp16];
                let others = others.into_iter().filter(|precision| has(*precision));
                std::iter::once(Precision::Fp32).chain(others).collect()
            }
            Self::TensorRt => vec![Precision::Fp32, Precision::Fp16, Precision::Bf16],
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The arithmetic that a provider is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision.
    #[default]
    Fp32,
    /// Sixteen bits with the range of single precision and 8 bits of its 24.
    Bf16,
    /// Half precision: sixteen bits, 11 of them precise.
    Fp16,
}

impl Precision {
    /// The name that stands on results.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Bf16 => "bf16",
            Self::Fp16 => "fp16",
        }
    }

    /// OpenVINO's word for it (`INFERENCE_PRECISION_HINT`).
    const fn openvino(self) -> &'static str {
        match self {
            Self::Fp32 => "f32",
            Self::Bf16 => "bf16",
            Self::Fp16 => "f16",
        }
    }
}

/// Who says where networks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderChoice {
    /// The operator. What is named and cannot be had is an error.
    Named(Provider, Precision),
    /// Measurements on this machine, for each model.
    Auto,
}

impl Default for ProviderChoice {
    fn default() -> Self {
        Self::Named(Provider::default(), Precision::default())
    }
}

/// How a network is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Where.
    pub provider: Provider,
    /// The arithmetic that the provider is asked for.
    pub precision: Precision,
    /// The variant of the folder's network that runs, such as `int8`; `None`
    /// for the network itself.
    pub variant: Option<String>,
    /// Sessions that run beside each other. Where there are several, another
    /// on all their threads runs an image that is alone.
    pub sessions: NonZeroUsize,
    /// Threads of each session.
    pub threads: NonZeroUsize,
}

impl Plan {
    /// One session of the network itself on all threads.
    #[must_use]
    pub const fn plain(provider: Provider, precision: Precision, threads: NonZeroUsize) -> Self {
        Self { provider, precision, variant: None, sessions: NonZeroUsize::MIN, threads }
    }

    /// Sessions that run beside one on all threads.
    pub(crate) fn replicas(&self) -> usize {
        match self.sessions.get() {
            1 => 0,
            sessions => sessions,
        }
    }

    /// The same in one session on all threads.
    #[must_use]
    pub(crate) fn in_one(&self) -> Self {
        let threads = self.threads.saturating_mul(self.sessions);
        Self { sessions: NonZeroUsize::MIN, threads, ..self.clone() }
    }

    /// How a network is served whose files take so many bytes. On processors a
    /// few sessions run batches of their own, because the threads of one wait
    /// for each other after each of the network's operations.
    #[must_use]
    pub(crate) fn served(self, files: u64) -> Self {
        if self.provider != Provider::Cpu || self.sessions > NonZeroUsize::MIN {
            return self;
        }
        let threads = self.threads.get();
        let fitting = usize::try_from(COPIES / files.max(1)).unwrap_or(usize::MAX);
        // Those that leave the fewest threads over, the most of them.
        let counts = (1..=MOST_SESSIONS.min(threads).min(fitting.max(1))).rev();
        let counts = counts.filter(|sessions| *sessions > 1);
        let Some(sessions) = counts.min_by_key(|sessions| threads % sessions) else { return self };
        let [sessions, threads] = [sessions, threads / sessions]
            .map(|count| NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN));
        Self { sessions, threads, ..self }
    }

    /// The precision that stands on results: a variant's name, or what the
    /// provider was asked for.
    #[must_use]
    pub fn arithmetic(&self) -> &str {
        self.variant.as_deref().unwrap_or(self.precision.as_str())
    }

    /// What ONNX Runtime is asked for. A provider that is named and cannot be
    /// had is an error: ONNX Runtime would fall back to the CPU in silence.
    ///
    /// `engines` is where TensorRT keeps what it has compiled.
    ///
    /// # Errors
    /// When the provider has no such arithmetic on this machine.
    pub(crate) fn dispatches(
        &self,
        engines: Option<&Path>,
    ) -> Result<Vec<ExecutionProviderDispatch>, SessionError> {
        let machine = Machine::this();
        if !self.provider.precisions(machine).contains(&self.precision) {
            let Self { provider, precision, .. } = self;
            return Err(SessionError::Precision { provider: *provider, precision: *precision });
        }
        // Without TF32, so that `fp32` is what it says.
        let cuda = || CUDA::default().with_tf32(false).build().error_on_failure();
        Ok(match self.provider {
            Provider::Cpu => Vec::new(),
            Provider::OpenVino => vec![self.openvino().build().error_on_failure()],
            Provider::Cuda => vec![cuda()],
            // What TensorRT does not take runs in CUDA.
            Provider::TensorRt => {
                if let Some(folder) = engines {
                    // Where it cannot be made, TensorRT itself says so.
                    drop(std::fs::create_dir_all(folder));
                }
                vec![self.tensorrt(engines).build().error_on_failure(), cuda()]
            }
        })
    }

    /// OpenVINO's settings go in as a JSON document. Without the hint for
    /// latency it splits the processors into streams, of which one session
    /// uses one. Threads are not bound to processors: decoders and other
    /// sessions run there too.
    fn openvino(&self) -> OpenVINO {
        let config = serde_json::json!({"CPU": {
            "INFERENCE_PRECISION_HINT": self.precision.openvino(),
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": self.threads.get(),
            "ENABLE_CPU_PINNING": "NO",
        }});
        OpenVINO::default()
            .with_device_type("CPU")
            .with_arbitrary_config("load_config", config.to_string())
    }

    fn tensorrt(&self, engines: Option<&Path>) -> TensorRT {
        let tensorrt = TensorRT::default()
            .with_fp16(self.precision == Precision::Fp16)
            .with_bf16(self.precision == Precision::Bf16);
        match engines.map(Path::to_string_lossy) {
            Some(folder) => tensorrt
                .with_engine_cache(true)
                .with_engine_cache_path(&folder)
                .with_timing_cache(true)
                .with_timing_cache_path(&folder),
            None => tensorrt,
        }
    }
}

impl fmt::Display for Plan {
    /// Such as `openvino bf16, 2 × 1 threads`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { provider, sessions, threads, .. } = self;
        write!(f, "{provider} {}, {sessions} × {threads} threads", self.arithmetic())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(arithmetic: &[Precision]) -> Machine {
        Machine { arithmetic: arithmetic.to_vec(), ..Machine::default() }
    }

    #[test]
    fn openvino_is_asked_only_for_arithmetic_that_the_processor_has() {
        let asked = |has: &[Precision]| Provider::OpenVino.precisions(&machine(has));
        assert_eq!(asked(&[]), [Precision::Fp32]);
        assert_eq!(asked(&[Precision::Bf16]), [Precision::Fp32, Precision::Bf16]);
    }

    #[test]
    fn the_cpu_provider_has_single_precision_only() {
        let plan = Plan::plain(Provider::Cpu, Precision::Bf16, NonZeroUsize::MIN);
        let error = plan.dispatches(None).err().unwrap();
        assert!(error.to_string().contains("cpu provider has no bf16"), "{error}");
    }

    #[test]
    fn networks_are_served_on_processors_by_up_to_four_sessions_that_fit() {
        let served = |threads, files| {
            let threads = NonZeroUsize::new(threads).unwrap();
            Plan::plain(Provider::Cpu, Precision::Fp32, threads).served(files).to_string()
        };
        assert_eq!(served(1, 1 << 20), "cpu fp32, 1 × 1 threads");
        assert_eq!(served(2, 14 << 20), "cpu fp32, 2 × 1 threads");
        assert_eq!(served(6, 14 << 20), "cpu fp32, 3 × 2 threads");
        assert_eq!(served(16, 100 << 20), "cpu fp32, 4 × 4 threads");
        assert_eq!(served(16, 200 << 20), "cpu fp32, 2 × 8 threads");
        assert_eq!(served(16, 400 << 20), "cpu fp32, 1 × 16 threads");
        let gpu = Plan::plain(Provider::Cuda, Precision::Fp32, NonZeroUsize::MIN);
        assert_eq!(gpu.clone().served(1), gpu);
    }

    #[test]
    fn results_say_the_variant_where_one_runs() {
        let mut plan = Plan::plain(Provider::Cpu, Precision::Fp32, NonZeroUsize::MIN);
        assert_eq!(plan.arithmetic(), "fp32");
        plan.variant = Some("int8".to_owned());
        assert_eq!(plan.to_string(), "cpu int8, 1 × 1 threads");
    }
}

//! Trials in a child process: a provider's library that crashes takes nothing
//! along but its own trial, and what was loaded for trials is gone with it.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::num::NonZeroUsize;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use aisle_shared::domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::TuningSettings;
use super::choice::{Outcome, Trial, choose};
use super::planner::TuneError;
use super::record::{Key, Record, Wanted};
use super::trials::{Trials, arrangements, worth_trying};
use crate::decoder::{Isolation, Program};
use crate::machine::Machine;
use crate::model::ModelFolder;
use crate::plan::{Plan, Provider};
use crate::runtime::environment;
use crate::session::SessionSettings;

/// How long one trial may take. TensorRT compiles a network for minutes.
const TRIAL: Duration = Duration::from_secs(600);

/// What is to be tuned.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Task {
    folder: PathBuf,
    library: PathBuf,
    threads: NonZeroUsize,
    max_batch: NonZeroUsize,
    engines: PathBuf,
    /// Ways that took an earlier child down, and how.
    fatal: Vec<(Plan, String)>,
}

/// What a child tells, a line of JSON each.
#[derive(Debug, Serialize, Deserialize)]
enum Told {
    /// A way is about to be tried.
    Trying(Plan),
    /// All were.
    Done(Box<Record>),
    /// The model cannot be tuned: why.
    Impossible(String),
}

/// Tries everything for a model and keeps the record.
///
/// # Errors
/// When the model does not run even in the CPU provider, or the trials cannot
/// be made at all.
pub fn tune(settings: &TuningSettings, wanted: Wanted<'_>) -> Result<Record, TuneError> {
    let name = &wanted.folder.name;
    let mut task = Task {
        folder: wanted.folder.path.clone(),
        library: wanted.library.to_owned(),
        threads: wanted.threads,
        max_batch: wanted.max_batch,
        engines: settings.engines(),
        fatal: Vec::new(),
    };
    tracing::info!(model = %name, "ways to run the model are tried");
    let record = loop {
        let ended = match &settings.isolation {
            Isolation::Here => here(&task, |_| Ok(())).map(Ok),
            Isolation::Processes(program) => in_child(program, &task),
        };
        match ended.map_err(TuneError::Impossible)? {
            Ok(record) => break record,
            // Each time a way less is left, so this ends.
            Err((plan, how)) if !task.fatal.iter().any(|(known, _)| *known == plan) => {
                tracing::warn!(model = %name, %plan, how, "a way ended its process");
                task.fatal.push((plan, how));
            }
            Err((plan, how)) => return Err(TuneError::Impossible(format!("{plan}: {how}"))),
        }
    };
    report(name.as_str(), &record);
    if let Err(error) = record.write(&settings.folder, name) {
        let folder = settings.folder.display();
        tracing::warn!(model = %name, %error, %folder, "the choice is not remembered");
    }
    Ok(record)
}

/// Says what was tried and what came of it.
fn report(model: &str, record: &Record) {
    for Trial { plan, outcome } in &record.trials {
        match outcome {
            Outcome::Failed(why) => tracing::info!(model, %plan, why, "cannot be used"),
            Outcome::Measured(measured) => tracing::info!(
                model,
                %plan,
                speed = measured.speed,
                images_per_second = measured.images_per_second,
                single_ms = measured.single_ms,
                largest_difference = measured.closeness.score,
                verdict = ?measured.verdict,
                "tried"
            ),
        }
    }
    let Record { chosen, why, seconds, .. } = record;
    tracing::info!(model, %chosen, why, seconds, "chosen");
}

/// Runs as the child that tries: reads its task from standard input and tells
/// of it on standard output.
///
/// # Errors
/// When nobody listens.
pub fn run() -> io::Result<()> {
    let parent = rustix::process::Signal::KILL;
    rustix::process::set_parent_process_death_signal(Some(parent))?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let task: Task = serde_json::from_str(&line)?;
    let told = match here(&task, |plan| tell(&Told::Trying(plan.clone()))) {
        Ok(record) => Told::Done(Box::new(record)),
        Err(why) => Told::Impossible(why),
    };
    tell(&told)
}

fn tell(told: &Told) -> io::Result<()> {
    let mut line = serde_json::to_vec(told)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

/// All trials, in this process. `trying` hears of each way before.
fn here(task: &Task, trying: impl Fn(&Plan) -> io::Result<()>) -> Result<Record, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let start = Instant::now();
    let folder = ModelFolder::open(&task.folder).map_err(|error| text(&error))?;
    let Task { library, threads, max_batch, engines, fatal, .. } = task;
    let (threads, max_batch) = (*threads, *max_batch);
    let key = Key::of(Wanted { folder: &folder, library, threads, max_batch });
    let key = key.map_err(|error| text(&error))?;
    let environment = environment(library).map_err(|error| text(&error))?;
    let settings = SessionSettings { max_batch, engines: Some(engines.clone()) };
    let trials = Trials::begin(&environment, &folder, &settings, threads);
    let mut trials = trials.map_err(|error| text(&error))?;

    let offered: Vec<_> = Provider::ALL.into_iter().filter(|each| each.offered()).collect();
    let variants = folder.variants().map_err(|error| text(&error))?;
    let variants: Vec<String> = variants.into_iter().map(|variant| variant.name).collect();
    let mut tried = vec![trials.first.clone()];
    let mut attempt = |plan: Plan| {
        let known = fatal.iter().find(|(known, _)| *known == plan);
        if let Some((_, how)) = known {
            return Ok(Trial { plan, outcome: Outcome::Failed(how.clone()) });
        }
        trying(&plan).map_err(|error| text(&error))?;
        Ok::<_, String>(trials.run(plan))
    };
    for plan in worth_trying(&offered, Machine::this(), &variants, threads) {
        tried.push(attempt(plan)?);
    }
    // How threads are arranged is tried for what is fastest so far.
    let fastest = choose(&tried).map(|(trial, _)| trial.plan.clone());
    for plan in fastest.iter().flat_map(|plan| arrangements(plan, threads)) {
        tried.push(attempt(plan)?);
    }
    let (chosen, why) = choose(&tried).ok_or("nothing can be used")?;
    Ok(Record {
        key,
        made_at: Timestamp::now(),
        seconds: start.elapsed().as_secs_f64(),
        evidence: trials.evidence(),
        tolerance: folder.tolerance,
        chosen: chosen.plan.clone(),
        why,
        trials: tried,
    })
}

/// All trials in a child: the record, or the way that ended it and how.
fn in_child(program: &Program, task: &Task) -> Result<Result<Record, (Plan, String)>, String> {
    let text = |error: io::Error| format!("{}: {error}", program.path.display());
    let mut child = Command::new(&program.path)
        .arg0("aisle")
        .args(&program.arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(text)?;
    let ended = converse(&mut child, task);
    // Whatever came of it, it is not left behind.
    let _ = child.kill();
    let status = child.wait().map_err(text)?;
    match ended {
        Ok(Told::Done(record)) => Ok(Ok(*record)),
        Ok(Told::Impossible(why)) => Err(why),
        Ok(Told::Trying(plan)) => Ok(Err((plan, format!("it ended its process: {status}")))),
        Err(why) => Err(format!("{why} ({status})")),
    }
}

/// The last that a child told before it ended, or was late.
fn converse(child: &mut Child, task: &Task) -> Result<Told, String> {
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("the child has no pipes".to_owned());
    };
    let (sender, receiver) = channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // A library may write there too: what is no message is none.
                if let Ok(told) = serde_json::from_str(&line)
                    && sender.send(told).is_err()
                {
                    return;
                }
            }
        });
        let written = serde_json::to_writer(&mut stdin, task).map_err(io::Error::from);
        let written = written.and_then(|()| stdin.write_all(b"\n"));
        let last = if written.is_ok() { last(&receiver) } else { None };
        // The thread ends with the child's output.
        let _ = child.kill();
        last.ok_or_else(|| "the tuner said nothing".to_owned())
    })
}

fn last(receiver: &Receiver<Told>) -> Option<Told> {
    let mut last = None;
    loop {
        match receiver.recv_timeout(TRIAL) {
            Ok(told @ Told::Trying(_)) => last = Some(told),
            Ok(told @ (Told::Done(_) | Told::Impossible(_))) => return Some(told),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return last,
        }
    }
}

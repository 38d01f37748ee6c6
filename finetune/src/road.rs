//! From a data set to a model folder, by learning in the network itself.

mod beginning;

use std::time::Instant;

use aisle_train::export::Place as ModelPlace;
use aisle_train::features::{Backbone, Network, extract};
use aisle_train::onnx::LOGITS;
use aisle_train::road::tuning::Tuning;
use aisle_train::road::{Learned, PROVING, Prepared, goldens};
use aisle_train::watch::Watcher;
use aisle_train::{TrainError, TrainSettings, Trained};
use ndarray::Array2;

use crate::checkpoint::{Best, Checkpoint};
use crate::judge::{Judge, matrix};
use crate::learner::Learner;
use crate::network::shape_at;
use crate::teacher::Teacher;
use crate::training::Training;
use crate::watching::Watching;
use crate::{TuneError, TuneSettings, compact, pixels, proof, schedule};
use beginning::{check, device, digest, program, source, start, targets};

/// Learns on in a network, or in a compact one that begins with random
/// weights, and writes a model folder.
///
/// # Errors
/// When the data, the network or the folder cannot be used, or what was
/// written does not compute what was learned.
pub fn tune(settings: &TuneSettings, watcher: &dyn Watcher) -> Result<Trained, TuneError> {
    let machine = &settings.train.machine;
    machine.work(|| walk(settings, watcher)).map_err(TrainError::from)?
}

fn walk(settings: &TuneSettings, watcher: &dyn Watcher) -> Result<Trained, TuneError> {
    check(&settings.rules)?;
    let mut train = settings.train.clone();
    let place = ModelPlace::check(&train.out, train.replace).map_err(TrainError::from)?;
    match settings.from_scratch {
        Some(network) => compact::check(network)?,
        None if train.backbones.len() != 1 => {
            return Err(TuneError::Backbones(train.backbones.len()));
        }
        None => {}
    }
    let checkpoint = Checkpoint::beside(&train.out, &place.name, settings.restart)?;
    let trained = (|| {
        if let Some(network) = settings.from_scratch {
            let seed = settings.rules.seed;
            train.backbones = vec![compact::write(checkpoint.folder(), network, seed)?];
            // A network of random weights has no features worth keeping.
            train.machine.cache = None;
        }
        learn(settings, &train, &checkpoint, watcher)
    })();
    match &trained {
        Ok(_) => checkpoint.remove()?,
        Err(_) => checkpoint.tidy(),
    }
    trained
}

fn learn(
    settings: &TuneSettings,
    train: &TrainSettings,
    checkpoint: &Checkpoint,
    watcher: &dyn Watcher,
) -> Result<Trained, TuneError> {
    let device = device(settings.place)?;
    // Before any long work.
    for path in &train.backbones {
        program(&Backbone::open(path, train.wide)?)?;
    }
    let prepared = Prepared::new(train, watcher)?;
    let begun = Instant::now();
    let backbone = prepared.first()?.clone();
    let program = program(&backbone)?;
    let cut = program.cut(settings.rules.layers.unwrap_or(usize::MAX));
    let size = backbone.size().map(|side| side as usize);
    let categories = &prepared.split.categories;
    let teacher = settings.teacher.as_ref().map(|path| Teacher::open(path, categories));
    let teacher = teacher.transpose()?;
    let shape = shape_at(&program, &cut, size, &device)?;
    let start = start(&prepared, settings, watcher)?;
    let learner = Learner::new(&program, &cut, shape, &start, &settings.rules, &device);
    let choosing = prepared.pictures_of(&prepared.choose);
    let folder = checkpoint.folder();
    let mut training = Training {
        rules: &settings.rules,
        best: Best { average: learner.average.clone(), statistics: learner.statistics() },
        source: source(&prepared, &backbone, &cut, settings, folder, watcher)?,
        targets: targets(&prepared, teacher.as_ref(), settings, watcher)?,
        judge: Judge {
            backbone: &backbone,
            mirror: train.mirror,
            machine: &train.machine,
            pixels: pixels::decode(&choosing, &prepared.framing, &train.machine, folder, watcher)?,
            labels: &prepared.choose.labels,
        },
        checkpoint,
        digest: digest(&prepared, train, teacher.as_ref(), settings)?,
        done: Vec::new(),
        learner,
    };
    let found = checkpoint.read(&training.digest, &mut training.learner, &device)?;
    if let Some((done, best)) = found {
        watcher.tell(&format!("going on after epoch {}", done.len().saturating_sub(1)));
        (training.done, training.best) = (done, best);
    }
    let mut watching = Watching::new(watcher, train.log.as_deref(), categories)?;
    training.run(watcher, &mut watching)?;

    let graph = training.judge.graph(&training.learner)?;
    let validation = training.judge.logits(&training.learner)?;
    let count = prepared.choose.places.len().min(PROVING);
    let proving = (0..count).map(|nth| training.judge.pixels.read(nth));
    let proving: Vec<Vec<u8>> = proving.collect::<Result<_, _>>()?;
    let Training { learner, mut source, done, .. } = training;
    let computed = proof::logits(&learner, &mut source, &proving, train.mirror)?;
    let mut allowed = computed.allowed();
    let proving = matrix(count, computed.logits)?;
    let goldens = goldens(&backbone.folder.preprocessing, &train.machine, |pixels| {
        let computed = proof::logits(&learner, &mut source, &[pixels.to_vec()], train.mirror)?;
        allowed = allowed.max(computed.allowed());
        Ok::<_, TuneError>(computed.logits)
    })?;
    let tuning = Tuning {
        rules: settings.rules.clone(),
        from_scratch: settings.from_scratch.is_some(),
        teacher: teacher.as_ref().map(Teacher::name),
        layers_of_network: program.layers(),
        learned: learner.weights.count(),
        best: schedule::best(&done).map_or(0, |best| best.epoch),
        device: settings.place.to_string(),
        epochs_done: done,
    };
    let learned = Learned {
        graph: &graph,
        validation,
        test: test(&prepared, &backbone, &graph, train, watcher)?,
        proving: proving.view(),
        goldens,
        rounding: f64::from(allowed),
        head: None,
        tuning: Some(tuning),
        seconds: begun.elapsed().as_secs_f64(),
    };
    Ok(prepared.finish(learned, train)?)
}

/// The logits of the pictures that only test, by the code that serves.
fn test(
    prepared: &Prepared,
    backbone: &Backbone,
    graph: &[u8],
    train: &TrainSettings,
    watcher: &dyn Watcher,
) -> Result<Array2<f32>, TuneError> {
    let network = Network::of_graph(&backbone.folder, graph, LOGITS, &train.machine)?;
    let pictures = prepared.pictures_of(&prepared.test);
    let extracted = extract(&pictures, &mut [network], &prepared.framing, &train.machine, watcher)?;
    Ok(extracted.of_known()?)
}

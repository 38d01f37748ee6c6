//! The stage that turns logits into an answer.

use std::time::Instant;

use aisle_shared::domain::ItemOutcome;
use tokio::sync::mpsc::{Receiver, Sender};

use super::ending::{Ended, Ending};
use super::metrics::Metrics;
use super::network::Answered;
use crate::loaded::LoadedModel;

/// Postprocesses until the network's thread has ended.
pub(super) async fn run(
    model: LoadedModel,
    mut answered: Receiver<Answered>,
    record: Sender<Ended>,
    metrics: Metrics,
) {
    while let Some(item) = answered.recv().await {
        let start = Instant::now();
        let ended = postprocess(&model, item);
        metrics.postprocessed(start.elapsed());
        if record.send(*ended).await.is_err() {
            return;
        }
    }
}

fn postprocess(model: &LoadedModel, item: Answered) -> Box<Ended> {
    let Answered { work, logits, batch_size, image, timings } = item;
    let ranking = logits.and_then(|logits| model.postprocessor().rank(&logits, work.top_k));
    match ranking {
        Ok(ranking) => {
            let answer = model.classification(ranking, batch_size, image, timings);
            Ended::new(work, Ending::Outcome(ItemOutcome::Succeeded(Box::new(answer))))
        }
        Err(error) => Ended::retry(work, error),
    }
}

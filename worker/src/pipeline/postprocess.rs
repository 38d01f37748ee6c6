//! The stage that turns logits into an answer.

use std::time::Instant;

use aisle_shared::domain::ItemOutcome;
use tokio::sync::mpsc::{Receiver, Sender};

use super::cache::{Answer, Keeper};
use super::ending::{Ended, Ending};
use super::metrics::Metrics;
use super::network::Answered;
use crate::loaded::LoadedModel;

/// Postprocesses until the network's thread has ended.
pub(super) async fn run(
    model: LoadedModel,
    mut answered: Receiver<Answered>,
    keeper: Option<Keeper>,
    record: Sender<Ended>,
    metrics: Metrics,
) {
    while let Some(item) = answered.recv().await {
        let start = Instant::now();
        let ended = postprocess(&model, item, keeper.as_ref());
        metrics.postprocessed(start.elapsed());
        if record.send(*ended).await.is_err() {
            return;
        }
    }
}

fn postprocess(model: &LoadedModel, item: Answered, keeper: Option<&Keeper>) -> Box<Ended> {
    let Answered { mut work, logits, batch_size, image, timings } = item;
    let top_k = work.options.top_k;
    // What is kept holds more than was asked for.
    let flight = keeper.and_then(|keeper| Some((keeper, work.flight.take()?)));
    let depth = if flight.is_some() { Answer::depth(top_k) } else { top_k };
    let order = logits.and_then(|logits| model.postprocessor().order(&logits, depth));
    match order {
        Ok(order) => {
            let ranking = model.postprocessor().answer(&order, (&work.options).into());
            if let Some((keeper, flight)) = flight {
                keeper.keep(flight, Answer { order, image: image.clone() });
            }
            let answer = model.classification(ranking, batch_size, image, timings);
            Ended::new(work, Ending::Outcome(ItemOutcome::Succeeded(Box::new(answer))))
        }
        Err(error) => Ended::retry(work, error),
    }
}

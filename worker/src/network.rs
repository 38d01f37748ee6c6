//! A model's network: one session, or several that share each batch.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};

use aisle_shared::domain::{ErrorCode, ItemError};
use ort::environment::Environment;

use crate::model::ModelFolder;
use crate::plan::Plan;
use crate::session::{Session, SessionError, SessionSettings};

/// A model's network, which belongs to one thread.
#[derive(Debug)]
pub(crate) struct Network {
    first: Session,
    /// Those that take their part of a batch beside the first.
    others: Vec<Session>,
    /// One on all threads, for an image that is alone; the first itself where
    /// there are no others.
    whole: Option<Session>,
    /// Batch sizes, ascending; the first is 1.
    batch_sizes: Vec<usize>,
}

impl Network {
    /// Loads a plan's sessions and runs each of their batch sizes once.
    ///
    /// # Errors
    /// When the network cannot be loaded or does not fit the folder.
    pub(crate) fn load(
        environment: &Environment,
        folder: &ModelFolder,
        plan: &Plan,
        settings: &SessionSettings,
    ) -> Result<Self, SessionError> {
        let sessions = plan.sessions.get();
        let load = || Session::load(environment, folder, plan, &settings.of_part(plan));
        let first = load()?;
        let others = (1..sessions).map(|_| load()).collect::<Result<Vec<_>, _>>()?;
        let whole = if others.is_empty() {
            None
        } else {
            Some(Session::load(environment, folder, &plan.in_one(), &settings.of_one())?)
        };
        let batch_sizes = shared_sizes(first.batch_sizes(), sessions);
        Ok(Self { first, others, whole, batch_sizes })
    }

    /// Loads what answers at once: a plan's sessions in one, on all threads. It
    /// takes one image at a time where the plan has several sessions, which are
    /// for more.
    ///
    /// # Errors
    /// When the network cannot be loaded or does not fit the folder.
    pub(crate) fn load_one(
        environment: &Environment,
        folder: &ModelFolder,
        plan: &Plan,
        settings: &SessionSettings,
    ) -> Result<Self, SessionError> {
        if plan.sessions == NonZeroUsize::MIN {
            return Self::load(environment, folder, plan, settings);
        }
        Self::load(environment, folder, &plan.in_one(), &settings.of_one())
    }

    /// Batch sizes that [`Network::run`] takes, ascending from 1.
    pub(crate) fn batch_sizes(&self) -> &[usize] {
        &self.batch_sizes
    }

    /// The largest batch that this many images fill, at least 1.
    pub(crate) fn largest_batch(&self, images: usize) -> usize {
        largest(self.batch_sizes(), images)
    }

    /// Each image's logits.
    pub(crate) fn run(&mut self, images: &[&[f32]]) -> Vec<Result<Vec<f32>, ItemError>> {
        each(images, |images| self.try_run(images))
    }

    /// The logits of all images of a batch, in equal parts by as many
    /// sessions as there are images for.
    ///
    /// # Errors
    /// When a session fails; no image has an answer then.
    pub(crate) fn try_run(&mut self, images: &[&[f32]]) -> Result<Vec<Vec<f32>>, SessionError> {
        let Self { first, others, whole, .. } = self;
        if let ([_], Some(whole)) = (images, whole) {
            return guarded(whole, images);
        }
        let part = images.len().div_ceil(1 + others.len()).max(1);
        let (head, rest) = images.split_at(part.min(images.len()));
        std::thread::scope(|scope| {
            let parts = rest.chunks(part).zip(others);
            let running: Vec<_> =
                parts.map(|(part, session)| scope.spawn(move || guarded(session, part))).collect();
            let mut logits = guarded(first, head);
            for part in running {
                let part = part.join().unwrap_or_else(|_| Err(panicked()));
                if let (Ok(logits), Ok(part)) = (&mut logits, &part) {
                    logits.extend_from_slice(part);
                } else if let Err(error) = part {
                    logits = Err(error);
                }
            }
            logits
        })
    }
}

/// Another session of a network, which runs batches beside it.
#[derive(Debug)]
pub(crate) struct Replica(Session);

impl Replica {
    pub(crate) const fn new(session: Session) -> Self {
        Self(session)
    }

    /// Batch sizes that [`Replica::run`] takes, ascending from 1.
    pub(crate) fn batch_sizes(&self) -> &[usize] {
        self.0.batch_sizes()
    }

    /// The largest batch that this many images fill, at least 1.
    pub(crate) fn largest_batch(&self, images: usize) -> usize {
        largest(self.batch_sizes(), images)
    }

    /// Each image's logits.
    pub(crate) fn run(&mut self, images: &[&[f32]]) -> Vec<Result<Vec<f32>, ItemError>> {
        each(images, |images| guarded(&mut self.0, images))
    }
}

/// The largest of some batch sizes that this many images fill, at least 1.
pub(crate) fn largest(sizes: &[usize], images: usize) -> usize {
    sizes.iter().copied().rfind(|size| *size <= images).unwrap_or(1)
}

/// Each image's logits. A failing batch is run again one by one, so that an
/// image's fault stays its own.
fn each(
    images: &[&[f32]],
    mut run: impl FnMut(&[&[f32]]) -> Result<Vec<Vec<f32>>, SessionError>,
) -> Vec<Result<Vec<f32>, ItemError>> {
    match run(images) {
        Ok(logits) => logits.into_iter().map(Ok).collect(),
        Err(error) if images.len() <= 1 => images.iter().map(|_| Err(item_error(&error))).collect(),
        Err(error) => {
            tracing::warn!(%error, images = images.len(), "a batch failed and is run one by one");
            let one = |image: &&[f32]| {
                let logits = run(&[*image]).map_err(|error| item_error(&error))?;
                Ok(logits.into_iter().next().unwrap_or_default())
            };
            images.iter().map(one).collect()
        }
    }
}

/// Runs a session whose panic is no more than an error.
fn guarded(session: &mut Session, images: &[&[f32]]) -> Result<Vec<Vec<f32>>, SessionError> {
    catch_unwind(AssertUnwindSafe(|| session.run(images))).unwrap_or_else(|_| Err(panicked()))
}

fn panicked() -> SessionError {
    SessionError::Output("the run panicked".to_owned())
}

fn item_error(error: &SessionError) -> ItemError {
    ItemError::new(ErrorCode::InferenceFailed, format!("the network failed: {error}"))
}

/// The sizes that equal parts of the sessions' own sizes make: one image in
/// each of a few sessions, or the same number in all.
fn shared_sizes(own: &[usize], sessions: usize) -> Vec<usize> {
    let mut sizes: Vec<usize> =
        (1..sessions).chain(own.iter().map(|size| size * sessions)).collect();
    sizes.sort_unstable();
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_session_takes_its_own_sizes() {
        assert_eq!(shared_sizes(&[1, 2, 4, 8], 1), [1, 2, 4, 8]);
    }

    #[test]
    fn several_sessions_take_equal_parts_or_one_image_each() {
        assert_eq!(shared_sizes(&[1, 2, 4], 2), [1, 2, 4, 8]);
        assert_eq!(shared_sizes(&[1, 2], 4), [1, 2, 3, 4, 8]);
    }
}

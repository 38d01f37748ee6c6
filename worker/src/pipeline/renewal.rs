//! Keeps what is served in step with the models' folder: a folder that is new or
//! another is loaded beside what is served and takes its place once it has
//! classified a picture; one that has gone is served no more.
//!
//! What must never happen: a model that works is given up for one that does not.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aisle_shared::domain::ModelName;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::announce::News;
use super::lanes::Lanes;
use super::metrics;
use crate::error::WorkerError;
use crate::loader::{Loader, Served};
use crate::model::{Change, ModelFolder, Stamp, Watch, look};

/// Looks at the models' folder.
pub(super) struct Renewal {
    pub(super) models: PathBuf,
    pub(super) every: Duration,
    pub(super) loader: Arc<Loader>,
    pub(super) watch: Watch,
    pub(super) news: watch::Sender<News>,
}

/// What a changed folder holds.
enum Found {
    /// What is served already.
    Same(ModelName),
    /// Another version, or another model.
    New(Served),
    /// It was changed while it was read: the next look will tell.
    Unsettled,
}

impl Renewal {
    /// Looks for ever.
    ///
    /// # Errors
    /// When a model that is ready cannot be served.
    pub(super) async fn run(mut self, lanes: &mut Lanes) -> Result<(), WorkerError> {
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut listed = true;
        loop {
            ticks.tick().await;
            let models = self.models.clone();
            let changes = match spawn_blocking(move || look(&models)).await {
                Ok(Ok(look)) => self.watch.take(look),
                Ok(Err(error)) => {
                    if std::mem::take(&mut listed) {
                        tracing::error!(%error, "what is loaded is served on");
                    }
                    continue;
                }
                Err(error) => return Err(WorkerError::Stopped(error.to_string())),
            };
            listed = true;
            for change in changes {
                self.take(change, lanes).await?;
            }
        }
    }

    async fn take(&self, change: Change, lanes: &mut Lanes) -> Result<(), WorkerError> {
        match change {
            Change::Gone(folder) => {
                metrics::trouble(&last_of(&folder), false);
                let Some(model) = name_of(&folder) else { return Ok(()) };
                if lanes.served(&model).is_some() {
                    tracing::warn!(%model, "the model's folder was taken away: it is served no more");
                    lanes.withdraw(&model);
                    self.tell(lanes, Some(&model), None);
                }
            }
            Change::Changed(folder, stamp) => match self.open(&folder, stamp, lanes).await {
                Ok(Found::Unsettled) => {}
                Ok(Found::Same(model)) => {
                    metrics::trouble(model.as_str(), false);
                    lanes.trouble(&model, None);
                    self.tell(lanes, None, None);
                }
                Ok(Found::New(served)) => {
                    let card = served.model.card().clone();
                    let before = lanes.served(&card.name).map(|model| model.card().version.clone());
                    tracing::info!(model = %card.name, version = card.version, before, "serving");
                    metrics::trouble(card.name.as_str(), false);
                    lanes.start(served)?;
                    self.tell(lanes, None, Some(&card.name));
                }
                Err(error) => {
                    let shown = last_of(&folder);
                    let model = name_of(&folder).filter(|model| lanes.served(model).is_some());
                    let goes_on = model.is_some();
                    tracing::error!(model = %shown, %error, goes_on, "a model's folder cannot be served");
                    metrics::trouble(&shown, true);
                    if let Some(model) = model {
                        lanes.trouble(&model, Some(self.shown(&error)));
                        self.tell(lanes, None, None);
                    }
                }
            },
        }
        Ok(())
    }

    /// Opens a folder, and loads what is not served yet.
    async fn open(&self, folder: &Path, stamp: Stamp, lanes: &Lanes) -> Result<Found, WorkerError> {
        let served = name_of(folder).and_then(|model| lanes.served(&model).cloned());
        let (loader, folder) = (Arc::clone(&self.loader), folder.to_owned());
        let opened = spawn_blocking(move || {
            let opened = ModelFolder::open(&folder)?;
            if let Some(served) = served
                && loader.is_same(&served, &opened)?
            {
                return Ok(Found::Same(opened.name));
            }
            let new = loader.load(opened)?;
            let settled = Stamp::of(&folder).is_ok_and(|now| now == stamp);
            Ok(if settled { Found::New(new) } else { Found::Unsettled })
        });
        opened.await.unwrap_or_else(|error| Err(WorkerError::Stopped(error.to_string())))
    }

    /// Tells the store what is served now.
    fn tell(&self, lanes: &Lanes, gone: Option<&ModelName>, back: Option<&ModelName>) {
        self.news.send_modify(|news| {
            news.card.models = lanes.cards();
            news.withdrawn.extend(gone.cloned());
            if let Some(back) = back {
                news.withdrawn.remove(back);
            }
        });
    }

    /// An error as callers may see it, who need not know where folders lie.
    fn shown(&self, error: &WorkerError) -> String {
        let models = format!("{}/", self.models.display());
        error.to_string().replace(&models, "")
    }
}

/// News of a worker that begins.
pub(super) fn first_news(card: aisle_shared::domain::WorkerCard) -> watch::Sender<News> {
    watch::Sender::new(News { card, withdrawn: BTreeSet::new() })
}

fn name_of(folder: &Path) -> Option<ModelName> {
    last_of(folder).parse().ok()
}

fn last_of(folder: &Path) -> Cow<'_, str> {
    folder.file_name().unwrap_or_default().to_string_lossy()
}

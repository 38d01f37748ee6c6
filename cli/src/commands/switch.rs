//! `aisle intake` and `aisle queue`: switches in the store, for all processes.

use aisle_shared::store::{Switch, Switches};

use crate::args::{IntakeArgs, IntakeWish, QueueArgs, QueueWish};
use crate::output;
use crate::settings::{Settings, SettingsArgs};
use crate::wiring;

/// Closes, opens or shows the intake.
pub(super) async fn intake(args: IntakeArgs) -> anyhow::Result<()> {
    let on = match args.wish {
        IntakeWish::Close => Some(true),
        IntakeWish::Open => Some(false),
        IntakeWish::Show => None,
    };
    let Switches { intake_closed, .. } = turn(args.settings, Switch::IntakeClosed, on).await?;
    let state = if intake_closed { "closed" } else { "open" };
    Ok(output::answer(&format!("the intake is {state}"))?)
}

/// Pauses, resumes or shows the queue.
pub(super) async fn queue(args: QueueArgs) -> anyhow::Result<()> {
    let on = match args.wish {
        QueueWish::Pause => Some(true),
        QueueWish::Resume => Some(false),
        QueueWish::Show => None,
    };
    let Switches { paused, .. } = turn(args.settings, Switch::Paused, on).await?;
    let state = if paused { "paused" } else { "running" };
    Ok(output::answer(&format!("the queue is {state}"))?)
}

/// Turns a switch where that is wished; answers how both stand.
async fn turn(
    settings: SettingsArgs,
    switch: Switch,
    on: Option<bool>,
) -> anyhow::Result<Switches> {
    let store = wiring::open(&Settings::resolve(settings)?).await?.store;
    if let Some(on) = on {
        store.set_switch(switch, on).await?;
    }
    Ok(store.switches().await?)
}

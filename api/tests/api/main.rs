//! The API over a real store and real files, request by request.

#[cfg(test)]
mod access;
mod admission;
#[cfg(test)]
mod carrying;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod events;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod submitting;
#[cfg(test)]
mod webhooks;

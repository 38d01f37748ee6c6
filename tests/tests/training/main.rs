//! From a shop's folder to a model that the service serves, by the real
//! program: `aisle train`, `aisle evaluate`, then a real server.

#[cfg(test)]
mod data;
#[cfg(test)]
mod events;
#[cfg(test)]
mod page;
#[cfg(test)]
mod photographs;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod starter;
#[cfg(test)]
mod tuning;
#[cfg(test)]
mod verify;
#[cfg(test)]
mod views;

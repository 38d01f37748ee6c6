//! Who is told how far the work is: a person at a terminal, or nobody.

/// Is told how far the work is.
pub trait Watcher: Sync {
    /// A stage begins; it has so many steps.
    fn begin(&self, stage: &str, steps: usize);
    /// So many more steps of the stage are done.
    fn advance(&self, steps: usize);
    /// The stage is done.
    fn end(&self);
    /// Something is worth a line that stays.
    fn tell(&self, line: &str);
}

/// Is told and says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl Watcher for Nobody {
    fn begin(&self, _: &str, _: usize) {}
    fn advance(&self, _: usize) {}
    fn end(&self) {}
    fn tell(&self, _: &str) {}
}

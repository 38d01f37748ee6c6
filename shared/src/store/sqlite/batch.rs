//! Group commit: many steps, one transaction, one wait for the disk.
//!
//! Each of several steps has a savepoint, so one that fails takes nothing of
//! the others with it. No step is answered before the commit, and those that are to
//! outlast a loss of power not before the disk has it.

use rusqlite::Connection;

use super::disk::is_full;
use super::step::{Changes, Step};
use super::time::StoreClock;
use crate::store::{StoreError, Wakers};

/// A step waiting for the writer. It is called exactly once: with an open
/// step to take, or with the reason why none can be taken.
pub(super) type Command = Box<dyn FnOnce(Result<&mut Step<'_>, StoreError>) -> Taken + Send>;

/// A step that was taken and is not answered yet.
pub(super) struct Taken {
    /// Whether it wrote what it should; otherwise it is undone.
    pub(super) keep: bool,
    /// Whether the caller is told only of what outlasts a loss of power.
    pub(super) lasting: bool,
    /// Answers the caller, given how the commit went.
    pub(super) answer: Answer,
}

/// Called with how the commit went.
pub(super) type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Steps that are decided: whom to answer what, and whom to wake.
pub(super) struct Committed {
    failure: Option<rusqlite::Error>,
    at_once: Vec<Answer>,
    /// Whether a step or the commit found the disk full.
    pub(super) disk_full: bool,
    /// What the disk has to have first.
    unsynced: Unsynced,
}

/// What may be told of committed steps once they are on disk.
#[derive(Default)]
pub(super) struct Unsynced {
    answers: Vec<Answer>,
    /// Whom the committed steps concern; empty when the commit failed.
    changes: Changes,
    /// Whether they may rest on what the disk has not, as only the writer knows:
    /// those that only looked need no sync but what is under way for what they saw.
    pub(super) written: bool,
}

impl Committed {
    /// Answers and wakes those who need not wait for the disk; what is left must.
    ///
    /// Work may be begun before the disk has its job: what comes of it gets there
    /// later.
    pub(super) fn tell(self, wakers: &Wakers) -> Option<Unsynced> {
        let Self { failure, at_once, mut unsynced, .. } = self;
        let waits = !unsynced.answers.is_empty() || unsynced.changes.lasting();
        if waits {
            unsynced.changes.tell_work(wakers);
        } else {
            unsynced.changes.tell(wakers);
        }
        answer(at_once, || failure.as_ref().map_or(Ok(()), |error| Err(error.into())));
        waits.then_some(unsynced)
    }
}

impl Unsynced {
    /// Takes over what another group has to tell.
    pub(super) fn append(&mut self, mut other: Self) {
        self.answers.append(&mut other.answers);
        self.changes.append(other.changes);
        self.written |= other.written;
    }

    /// Wakes all concerned and answers every caller.
    pub(super) fn tell(mut self, wakers: &Wakers) {
        self.changes.tell(wakers);
        answer(self.answers, || Ok(()));
    }

    /// Tells every caller that the disk did not take it. Nobody is woken.
    pub(super) fn fail(self, error: &std::io::Error) {
        answer(self.answers, || Err(StoreError::unavailable(error)));
    }
}

fn answer(answers: Vec<Answer>, how: impl Fn() -> Result<(), StoreError>) {
    answers.into_iter().for_each(|answer| answer(how()));
}

/// Takes all steps in one transaction and commits it.
pub(super) fn commit(db: &Connection, clock: &StoreClock, commands: Vec<Command>) -> Committed {
    let mut at_once = Vec::new();
    let mut unsynced = Unsynced::default();
    let mut rolled_back = false;
    let several = commands.len() > 1;
    let mut failure = run(db, "BEGIN IMMEDIATE").err();
    let mut step = Step { db, now: clock.moment(), changes: Changes::default() };
    for command in commands {
        let taken = match &failure {
            Some(error) => command(Err(error.into())),
            None => match take(&mut step, command, several) {
                (taken, None) => {
                    unsynced.changes.append(std::mem::take(&mut step.changes));
                    taken
                }
                (taken, broken) => {
                    // SQLite undoes a transaction by itself where it cannot
                    // write: the disk is full or fails.
                    rolled_back = db.is_autocommit();
                    failure = broken;
                    taken
                }
            },
        };
        if taken.lasting && taken.keep {
            unsynced.answers.push(taken.answer);
        } else {
            at_once.push(taken.answer);
        }
    }
    failure = failure.or_else(|| run(db, "COMMIT").err());
    if failure.is_some() {
        at_once.append(&mut unsynced.answers);
        unsynced.changes = Changes::default();
        if !db.is_autocommit() {
            // Nothing to be done when even this fails: the next BEGIN tells.
            let _ = run(db, "ROLLBACK");
        }
    }
    let disk_full = rolled_back || failure.as_ref().is_some_and(is_full);
    Committed { failure, at_once, disk_full, unsynced }
}

/// Takes one step; tells when the transaction itself broke. Of `several`, each is
/// inside a savepoint, for which SQLite copies every page that it changes.
fn take(step: &mut Step<'_>, command: Command, several: bool) -> (Taken, Option<rusqlite::Error>) {
    let db = step.db;
    if several && let Err(error) = run(db, "SAVEPOINT step") {
        return (command(Err((&error).into())), Some(error));
    }
    let taken = command(Ok(step));
    if !taken.keep {
        step.changes = Changes::default();
    }
    let settled = match (several, taken.keep) {
        (true, true) => run(db, "RELEASE step"),
        // Where a full disk made SQLite undo the whole transaction, there is
        // no savepoint left to go back to, and this says so.
        (true, false) => run(db, "ROLLBACK TO step").and_then(|()| run(db, "RELEASE step")),
        (false, true) => Ok(()),
        (false, false) => run(db, "ROLLBACK").and_then(|()| run(db, "BEGIN")),
    };
    (taken, settled.err())
}

fn run(db: &Connection, sql: &str) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute([]).map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::clock::Clock;

    type Answers = mpsc::Receiver<(&'static str, Result<(), StoreError>)>;

    fn database() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE notes (text TEXT UNIQUE)").unwrap();
        db
    }

    fn notes(db: &Connection) -> Vec<String> {
        let mut select = db.prepare("SELECT text FROM notes ORDER BY text").unwrap();
        select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// A step that writes and then says whether it went well.
    fn note(
        text: &'static str,
        answers: &mpsc::Sender<(&'static str, Result<(), StoreError>)>,
        verdict: impl FnOnce(rusqlite::Result<usize>) -> Result<(), StoreError> + Send + 'static,
    ) -> Command {
        let answers = answers.clone();
        Box::new(move |step| {
            let result = step
                .and_then(|step| verdict(step.db.execute("INSERT INTO notes VALUES (?1)", [text])));
            Taken {
                keep: result.is_ok(),
                lasting: true,
                answer: Box::new(move |committed| {
                    answers.send((text, result.and(committed))).unwrap();
                }),
            }
        })
    }

    fn written(result: rusqlite::Result<usize>) -> Result<(), StoreError> {
        Ok(result.map(|_| ())?)
    }

    fn take(db: &Connection, commands: Vec<Command>) {
        let wakers = Wakers::default();
        let committed = commit(db, &StoreClock::of_boot(Clock::Store, "boot"), commands);
        if let Some(unsynced) = committed.tell(&wakers) {
            unsynced.tell(&wakers);
        }
    }

    fn outcome(answers: &Answers) -> Vec<(&'static str, bool)> {
        answers.try_iter().map(|(text, result)| (text, result.is_ok())).collect()
    }

    #[test]
    fn a_step_that_fails_takes_nothing_of_its_group_with_it() {
        let db = database();
        let (sender, answers) = mpsc::channel();
        let refuse = |_| Err(StoreError::NotFound);
        take(
            &db,
            vec![
                note("first", &sender, written),
                note("refused", &sender, refuse),
                note("first", &sender, written),
                note("last", &sender, written),
            ],
        );
        assert_eq!(notes(&db), ["first", "last"]);
        let mut told = outcome(&answers);
        told.sort_unstable();
        assert_eq!(told, [("first", false), ("first", true), ("last", true), ("refused", false)]);
    }

    #[test]
    fn a_step_that_fails_alone_leaves_nothing_either() {
        let db = database();
        let (sender, answers) = mpsc::channel();
        take(&db, vec![note("refused", &sender, |_| Err(StoreError::NotFound))]);
        assert!(notes(&db).is_empty());
        take(&db, vec![note("next", &sender, written)]);
        assert_eq!(notes(&db), ["next"]);
        assert_eq!(outcome(&answers), [("refused", false), ("next", true)]);
    }

    #[test]
    fn a_full_disk_fails_the_group_whole_and_the_next_succeeds_when_there_is_room() {
        let db = database();
        let (sender, answers) = mpsc::channel();
        db.execute_batch("CREATE TABLE ballast (bytes BLOB); PRAGMA max_page_count = 4").unwrap();
        let fill: Command = {
            let sender = sender.clone();
            Box::new(move |step| {
                let result = step.and_then(|step| {
                    let filled =
                        step.db.execute("INSERT INTO ballast VALUES (zeroblob(100000))", []);
                    written(filled)
                });
                assert!(matches!(&result, Err(StoreError::Exhausted { detail, .. })
                    if detail.contains("full")));
                Taken {
                    keep: false,
                    lasting: true,
                    answer: Box::new(move |_| sender.send(("ballast", result)).unwrap()),
                }
            })
        };
        take(&db, vec![note("before", &sender, written), fill, note("after", &sender, written)]);
        let kept = notes(&db);
        for (text, answered_well) in outcome(&answers) {
            assert_eq!(kept.contains(&text.to_owned()), answered_well, "{text}");
        }
        db.execute_batch("PRAGMA max_page_count = 1000").unwrap();
        take(&db, vec![note("again", &sender, written)]);
        assert!(notes(&db).contains(&"again".to_owned()));
        assert_eq!(outcome(&answers), [("again", true)]);
    }

    #[test]
    fn nothing_is_answered_well_when_the_transaction_cannot_begin() {
        let db = database();
        let (sender, answers) = mpsc::channel();
        db.execute_batch("BEGIN").unwrap();
        take(&db, vec![note("one", &sender, written), note("two", &sender, written)]);
        assert_eq!(outcome(&answers), [("one", false), ("two", false)]);
        assert!(notes(&db).is_empty());
    }
}

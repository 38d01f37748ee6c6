//! Group commit: many steps, one transaction, one wait for the disk.
//!
//! Each step has a savepoint of its own, so one that fails takes nothing of
//! the others with it. No step is answered before the commit.

use rusqlite::Connection;

use super::disk::is_full;
use super::step::{Changes, Step};
use super::time::StoreClock;
use crate::store::StoreError;

/// A step waiting for the writer. It is called exactly once: with an open
/// step to take, or with the reason why none can be taken.
pub(super) type Command = Box<dyn FnOnce(Result<&mut Step<'_>, StoreError>) -> Taken + Send>;

/// A step that was taken and is not answered yet.
pub(super) struct Taken {
    /// Whether it wrote what it should; otherwise it is undone.
    pub(super) keep: bool,
    /// Answers the caller, given how the commit went.
    pub(super) answer: Answer,
}

/// Called with how the commit went.
pub(super) type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Steps that are decided: whom to answer what, and whom to wake.
pub(super) struct Committed {
    failure: Option<rusqlite::Error>,
    answers: Vec<Answer>,
    /// Whether a step or the commit found the disk full.
    pub(super) disk_full: bool,
    /// Whom the committed steps concern; empty when the commit failed.
    pub(super) changes: Changes,
}

impl Committed {
    /// Answers every caller.
    pub(super) fn answer(self) {
        for answer in self.answers {
            answer(match &self.failure {
                None => Ok(()),
                Some(error) => Err(error.into()),
            });
        }
    }
}

/// Takes all steps in one transaction and commits it.
pub(super) fn commit(db: &Connection, clock: &StoreClock, commands: Vec<Command>) -> Committed {
    let mut answers = Vec::with_capacity(commands.len());
    let mut changes = Changes::default();
    let mut rolled_back = false;
    let mut failure = run(db, "BEGIN IMMEDIATE").err();
    let mut step = Step { db, now: clock.moment(), changes: Changes::default() };
    for command in commands {
        let taken = match &failure {
            Some(error) => command(Err(error.into())),
            None => match guarded(&mut step, command) {
                (taken, None) => {
                    changes.append(std::mem::take(&mut step.changes));
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
        answers.push(taken.answer);
    }
    failure = failure.or_else(|| run(db, "COMMIT").err());
    if failure.is_some() {
        changes = Changes::default();
        if !db.is_autocommit() {
            // Nothing to be done when even this fails: the next BEGIN tells.
            let _ = run(db, "ROLLBACK");
        }
    }
    let disk_full = rolled_back || failure.as_ref().is_some_and(is_full);
    Committed { failure, answers, disk_full, changes }
}

/// Takes one step inside a savepoint; tells when the transaction itself broke.
fn guarded(step: &mut Step<'_>, command: Command) -> (Taken, Option<rusqlite::Error>) {
    if let Err(error) = run(step.db, "SAVEPOINT step") {
        return (command(Err((&error).into())), Some(error));
    }
    let taken = command(Ok(step));
    let settled = if taken.keep {
        run(step.db, "RELEASE step")
    } else {
        step.changes = Changes::default();
        // Where a full disk made SQLite undo the whole transaction, there is
        // no savepoint left to go back to, and this says so.
        run(step.db, "ROLLBACK TO step").and_then(|()| run(step.db, "RELEASE step"))
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
        commit(db, &StoreClock::of_boot(Clock::Store, "boot"), commands).answer();
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
        let expected = [("first", true), ("refused", false), ("first", false), ("last", true)];
        assert_eq!(outcome(&answers), expected);
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

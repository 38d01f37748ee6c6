//! The one place that writes to the terminal. Answers go to standard output,
//! remarks to standard error, so that answers can be piped.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// Writes an answer, a line of its own.
///
/// # Errors
/// When nobody reads any more, or the disk is full.
pub(crate) fn answer(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Says something about an answer, beside it.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn remark(text: &str) -> io::Result<()> {
    writeln!(io::stderr().lock(), "{text}")
}

/// Says why a command failed. Nobody reading on (`aisle models | head`) is no
/// failure.
pub(crate) fn failure(error: &anyhow::Error) -> ExitCode {
    let io_error = error.downcast_ref::<io::Error>();
    if io_error.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    // There is no one left to tell when even this cannot be written.
    let _ = writeln!(io::stderr().lock(), "aisle: {}", told(error));
    ExitCode::FAILURE
}

/// What went wrong and why: each cause once, because some errors tell theirs.
fn told(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| {
        if told.ends_with(&cause) {
            told
        } else if told.is_empty() {
            cause
        } else {
            format!("{told}: {cause}")
        }
    })
}

/// Rows as a table: columns two spaces apart, each as wide as its widest cell.
pub(crate) fn table<const COLUMNS: usize>(
    head: [&str; COLUMNS],
    rows: &[[String; COLUMNS]],
) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|cell| cell.chars().count())).max().unwrap_or(0)
    };
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let line = |cells: &[String; COLUMNS]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let lines = std::iter::once(&head.map(str::to_owned)).chain(rows).map(line).collect::<Vec<_>>();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let error =
            anyhow::anyhow!("no such file").context("shoes: no such file").context("models");
        assert_eq!(told(&error), "models: shoes: no such file");
    }

    #[test]
    fn a_table_lines_its_columns_up() {
        let rows = [["sandal".to_owned(), "0.9".to_owned()], ["ä".to_owned(), "0.05".to_owned()]];
        let expected = "LABEL   SCORE\nsandal  0.9\nä       0.05";
        assert_eq!(table(["LABEL", "SCORE"], &rows), expected);
    }
}

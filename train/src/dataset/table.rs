//! A table of pictures: CSV with a head, or JSON Lines.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

use super::images::Images;
use super::{Category, DataError, Dataset, Part, Picture, Skipped, Source};

/// Columns that hold image names, the first that is there.
const IMAGE: [&str; 5] = ["image", "file", "path", "filename", "file_name"];

/// Columns that hold categories, the first that is there.
const CATEGORY: [&str; 3] = ["category", "label", "class"];

/// The column of a split that is given.
const SPLIT: &str = "split";

/// How a table is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Format {
    Csv,
    JsonLines,
}

/// A row's values by column; a path is more than one value.
type Row = BTreeMap<String, Vec<String>>;

pub(super) fn read(source: &Source, format: Format) -> Result<Dataset, DataError> {
    let path = source.path.as_path();
    let images = match &source.images {
        Some(images) => Images::open(images)?,
        None => Images::Folder(path.parent().unwrap_or(Path::new("")).to_owned()),
    };
    let rows = match format {
        Format::Csv => csv_rows(path)?,
        Format::JsonLines => json_rows(path)?,
    };
    let columns = Columns::choose(source, &rows)?;
    let mut dataset = Dataset::default();
    for (line, row) in rows {
        match columns.picture(&row, &images) {
            Ok(picture) => dataset.pictures.push(picture),
            Err((name, reason)) => {
                let name = name.unwrap_or_else(|| format!("line {line}"));
                dataset.skipped.push(Skipped::new(name, reason));
            }
        }
    }
    Ok(dataset)
}

/// Which columns are read.
struct Columns {
    image: String,
    categories: Vec<String>,
}

impl Columns {
    fn choose(source: &Source, rows: &[(u64, Row)]) -> Result<Self, DataError> {
        // JSON may leave out a key in any row.
        let mut present: Vec<String> =
            rows.iter().flat_map(|(_, row)| row.keys().cloned()).collect();
        present.sort_unstable();
        present.dedup();
        let missing = |wanted: String| DataError::Column {
            path: source.path.clone(),
            wanted,
            present: present.clone(),
        };
        let usual = |names: &[&str]| {
            let found = names.iter().find(|name| present.iter().any(|column| column == *name));
            found.map(|name| (*name).to_owned()).ok_or_else(|| missing(names.join(" or ")))
        };
        let given = |name: &String| {
            if present.contains(name) { Ok(name.clone()) } else { Err(missing(name.clone())) }
        };
        let image = source.image_column.as_ref().map_or_else(|| usual(&IMAGE), given)?;
        let categories = match source.category_columns.as_slice() {
            [] => vec![usual(&CATEGORY)?],
            named => named.iter().map(given).collect::<Result<_, _>>()?,
        };
        Ok(Self { image, categories })
    }

    /// The row's picture; else its name, if it has one, and what is wrong.
    fn picture(&self, row: &Row, images: &Images) -> Result<Picture, (Option<String>, String)> {
        let value = |column: &str| row.get(column).and_then(|values| values.first());
        let name = value(&self.image).filter(|name| !name.is_empty()).cloned();
        let Some(name) = name else { return Err((None, "it names no picture".to_owned())) };
        let fault = |reason: &str| (Some(name.clone()), reason.to_owned());
        let parts = self.categories.iter().flat_map(|column| row.get(column).into_iter().flatten());
        let category = Category::new(parts).ok_or_else(|| fault("it has no category"))?;
        let part = match value(SPLIT).filter(|part| !part.is_empty()) {
            None => None,
            Some(part) => Some(
                Part::named(part)
                    .ok_or_else(|| fault(&format!("{part:?} is no part of a split")))?,
            ),
        };
        let place = images.find(&name).ok_or_else(|| fault("there is no such picture"))?;
        Ok(Picture { name, place, category, part })
    }
}

fn csv_rows(path: &Path) -> Result<Vec<(u64, Row)>, DataError> {
    let fault = |error: csv::Error| DataError::Row {
        path: path.to_owned(),
        line: error.position().map_or(1, csv::Position::line),
        problem: error.to_string(),
    };
    let mut reader = csv::ReaderBuilder::new().from_path(path).map_err(fault)?;
    let head = reader.headers().map_err(fault)?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(fault)?;
        let line = record.position().map_or(0, csv::Position::line);
        let cells = head.iter().zip(record.iter());
        let cells = cells.map(|(column, cell)| (column.to_owned(), vec![cell.to_owned()]));
        rows.push((line, cells.collect()));
    }
    Ok(rows)
}

fn json_rows(path: &Path) -> Result<Vec<(u64, Row)>, DataError> {
    let unreadable = |source| DataError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let mut rows = Vec::new();
    for (line, text) in (1..).zip(BufReader::new(file).lines()) {
        let text = text.map_err(unreadable)?;
        if text.trim().is_empty() {
            continue;
        }
        let fault = |problem: String| DataError::Row { path: path.to_owned(), line, problem };
        let row: BTreeMap<String, Value> =
            serde_json::from_str(&text).map_err(|error| fault(error.to_string()))?;
        rows.push((line, row.into_iter().map(|(key, value)| (key, texts(value))).collect()));
    }
    Ok(rows)
}

/// A value as text, an array as more than one.
fn texts(value: Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.into_iter().flat_map(texts).collect(),
        Value::Number(number) => vec![number.to_string()],
        Value::Bool(value) => vec![value.to_string()],
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

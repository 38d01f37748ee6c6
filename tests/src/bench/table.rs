//! A table of text whose columns line up.

use super::stats::Summary;

/// A heading, names of columns, rows of cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with no row yet; the first column holds names.
    #[must_use]
    pub fn new(title: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Self { title: title.to_owned(), rows: vec![columns] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines: the title, the columns, the rows. Names stand to the left,
    /// all else to the right of its column.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let wide = |cell: &String| cell.chars().count();
        let widths: Vec<usize> = (0..columns)
            .map(|column| self.rows.iter().filter_map(|row| row.get(column)).map(wide).max())
            .map(Option::unwrap_or_default)
            .collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
                if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
        };
        std::iter::once(self.title.clone()).chain(self.rows.iter().map(line)).collect()
    }
}

/// A median and its range, as `0.86 (0.80 to 0.89)`; a dash for nothing.
#[must_use]
pub fn spread(values: &[f64], decimals: usize) -> String {
    Summary::of(values).map_or("–".to_owned(), |Summary { median, least, most }| {
        format!("{median:.decimals$} ({least:.decimals$} to {most:.decimals$})")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_their_letters() {
        let mut table = Table::new("sizes", &["what", "ms"]);
        table.row(["größer".to_owned(), "10".to_owned()]);
        table.row(["b".to_owned(), "9".to_owned()]);
        assert_eq!(table.lines(), ["sizes", "what     ms", "größer   10", "b         9"]);
    }

    #[test]
    fn a_spread_is_the_median_with_its_range() {
        assert_eq!(spread(&[0.9, 0.8, 0.854], 2), "0.85 (0.80 to 0.90)");
        assert_eq!(spread(&[], 2), "–");
    }
}

//! Categories as paths: labels such as `Apparel > Topwear > Shirts` are the
//! leaves of a tree, whose inner levels have categories of their own.

use std::collections::HashMap;

use super::extra::Extra;

/// Labels with their paths, and the levels above the leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taxonomy {
    labels: Vec<String>,
    paths: Vec<Vec<String>>,
    levels: Vec<Level>,
}

/// One level of the tree, root first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// The level's categories: their labels and paths.
    pub categories: Vec<(String, Vec<String>)>,
    /// For every leaf, its category at this level; `None` when the leaf's
    /// own path ends above.
    pub category_of: Vec<Option<usize>>,
}

impl Taxonomy {
    pub(super) fn new(labels: Vec<String>, extra: &Extra) -> Self {
        let paths: Vec<Vec<String>> =
            labels.iter().enumerate().map(|(id, label)| path_of(id, label, extra)).collect();
        let depth = paths.iter().map(Vec::len).max().unwrap_or(0);
        let separator = extra.path_separator.as_deref().unwrap_or(" > ");
        let levels = (1..depth).map(|parts| level(&paths, parts, separator)).collect();
        Self { labels, paths, levels }
    }

    /// Every label, in the order of the network's output.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Every label's path, in the same order; the label alone where
    /// categories are flat.
    #[must_use]
    pub fn paths(&self) -> &[Vec<String>] {
        &self.paths
    }

    /// The levels above the leaves, root first; none when labels are flat.
    #[must_use]
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }
}

fn path_of(id: usize, label: &str, extra: &Extra) -> Vec<String> {
    if let Some(path) = extra.paths.get(&id) {
        return path.clone();
    }
    let parts: Vec<String> = match &extra.path_separator {
        Some(separator) => label.split(separator.as_str()).map(|p| p.trim().to_owned()).collect(),
        None => Vec::new(),
    };
    // An empty part means that the separator is only a part of the label's text.
    if parts.is_empty() || parts.iter().any(String::is_empty) {
        vec![label.to_owned()]
    } else {
        parts
    }
}

fn level(paths: &[Vec<String>], parts: usize, separator: &str) -> Level {
    let mut categories = Vec::new();
    let mut known: HashMap<&[String], usize> = HashMap::new();
    let category_of = paths
        .iter()
        .map(|path| {
            let prefix = path.get(..parts)?;
            Some(*known.entry(prefix).or_insert_with(|| {
                categories.push((prefix.join(separator), prefix.to_vec()));
                categories.len() - 1
            }))
        })
        .collect();
    Level { categories, category_of }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taxonomy(labels: &[&str], extra: &Extra) -> Taxonomy {
        Taxonomy::new(labels.iter().map(ToString::to_string).collect(), extra)
    }

    #[test]
    fn labels_that_are_paths_make_levels() {
        let labels = ["Apparel > Topwear > Shirts", "Apparel > Topwear > Tops", "Shoes > Heels"];
        let tree = taxonomy(&labels, &Extra::default());
        assert_eq!(tree.paths()[0], ["Apparel", "Topwear", "Shirts"]);
        assert_eq!(tree.levels().len(), 2);
        assert_eq!(tree.levels()[0].category_of, [Some(0), Some(0), Some(1)]);
        assert_eq!(tree.levels()[1].categories[0].0, "Apparel > Topwear");
        assert_eq!(tree.levels()[1].category_of, [Some(0), Some(0), Some(1)]);
    }

    #[test]
    fn flat_labels_have_themselves_as_path_and_no_levels() {
        let tree = taxonomy(&["tench, Tinca tinca", "a > "], &Extra::default());
        assert_eq!(tree.paths()[0], ["tench, Tinca tinca"]);
        assert_eq!(tree.paths()[1], ["a > "]);
        assert!(tree.levels().is_empty());
    }

    #[test]
    fn a_leaf_that_ends_above_a_level_has_no_category_there() {
        let tree = taxonomy(&["Hats", "Shoes > Flat > Loafers"], &Extra::default());
        assert_eq!(tree.levels()[0].category_of, [Some(0), Some(1)]);
        assert_eq!(tree.levels()[1].category_of, [None, Some(0)]);
    }

    #[test]
    fn the_extra_file_gives_paths_and_another_separator() {
        let extra: Extra =
            serde_json::from_str(r#"{"path_separator":"/","paths":{"1":["Shoes","Clogs"]}}"#)
                .unwrap();
        let tree = taxonomy(&["Apparel/Hats", "clogs"], &extra);
        assert_eq!(tree.paths()[0], ["Apparel", "Hats"]);
        assert_eq!(tree.paths()[1], ["Shoes", "Clogs"]);
        assert_eq!(tree.labels()[1], "clogs");
        assert_eq!(tree.levels()[0].categories[0].0, "Apparel");
    }

    #[test]
    fn a_null_separator_keeps_labels_flat() {
        let extra: Extra = serde_json::from_str(r#"{"path_separator":null}"#).unwrap();
        assert_eq!(taxonomy(&["a > b"], &extra).paths()[0], ["a > b"]);
    }
}

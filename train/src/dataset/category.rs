//! A category: a path of names, such as `Apparel > Topwear > Shirts`.

use std::fmt;

use serde::{Serialize, Serializer};

/// What stands between the parts of a path; the same as in a served label.
pub const SEPARATOR: &str = " > ";

/// A path of at least one part, outermost first; no part is empty. Ordered
/// part by part, which is the order of a model's outputs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Category(Vec<String>);

impl Category {
    /// A category of these parts, trimmed. A part that holds the separator is
    /// a path itself. `None` when there is no part, or one is empty.
    #[must_use]
    pub fn new<S: AsRef<str>>(parts: impl IntoIterator<Item = S>) -> Option<Self> {
        let mut path = Vec::new();
        for part in parts {
            path.extend(part.as_ref().split(SEPARATOR).map(|part| part.trim().to_owned()));
        }
        let is_whole = !path.is_empty() && path.iter().all(|part| !part.is_empty());
        is_whole.then_some(Self(path))
    }

    /// The parts, outermost first.
    #[must_use]
    pub fn parts(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(SEPARATOR))
    }
}

impl Serialize for Category {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_separators_mean_the_same() {
        let parts = Category::new(["Apparel", " Shirts "]).unwrap();
        assert_eq!(Some(parts.clone()), Category::new(["Apparel > Shirts"]));
        assert_eq!(parts.to_string(), "Apparel > Shirts");
    }

    #[test]
    fn an_empty_part_makes_no_category() {
        assert_eq!(Category::new([""]), None);
        assert_eq!(Category::new(["Shoes", " "]), None);
        assert_eq!(Category::new(Vec::<String>::new()), None);
    }

    #[test]
    fn a_parent_comes_before_its_children_whatever_they_are_called() {
        let [parent, child, next] = ["A", "A > Z", "A!"].map(|text| Category::new([text]).unwrap());
        assert!(parent < child && child < next);
    }
}

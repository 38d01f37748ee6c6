//! A judgement as text for people.

use std::fmt::Write as _;

use super::{Accepted, Judgement, Taken};

/// Categories that are listed at most, those least often found first.
const LISTED: usize = 30;

/// Pictures with large losses that are listed.
const LOSSES: usize = 10;

/// A judgement in a few paragraphs; `title` says of which pictures.
#[must_use]
pub fn as_text(title: &str, judgement: &Judgement) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    let _ = write(&mut text, title, judgement);
    text
}

fn write(text: &mut String, title: &str, judgement: &Judgement) -> std::fmt::Result {
    writeln!(text, "{title}: {} pictures", judgement.pictures)?;
    writeln!(text, "  best category right    {}", judgement.top_1)?;
    writeln!(text, "  among the best three   {}", judgement.top_3)?;
    for level in &judgement.levels {
        let (level, categories, right) = (level.level, level.categories, level.right);
        writeln!(text, "  level {level}, {categories} categories   {right}")?;
    }
    for accepted in &judgement.accepted {
        write_accepted(text, accepted)?;
    }
    let calibration = &judgement.calibration;
    writeln!(
        text,
        "  calibration error      {:.1} %, before temperature {:.2} it was {:.1} %",
        calibration.after * 100.0,
        calibration.temperature,
        calibration.before * 100.0
    )?;
    let by_chance = calibration.by_chance;
    writeln!(
        text,
        "    of perfect scores    {:.1} % on average of so many pictures, up to {:.1} %",
        by_chance.mean * 100.0,
        by_chance.high * 100.0
    )?;
    categories(text, judgement)?;
    if !judgement.most_confused.is_empty() {
        writeln!(text, "  most often confused")?;
    }
    for pair in &judgement.most_confused {
        writeln!(text, "    {:4} × {} taken for {}", pair.pictures, pair.shown, pair.taken_for)?;
    }
    if !judgement.largest_losses.is_empty() {
        writeln!(text, "  furthest off")?;
    }
    for loss in judgement.largest_losses.iter().take(LOSSES) {
        let (picture, shown, taken_for) = (&loss.picture, &loss.shown, &loss.taken_for);
        let [own, other] = [loss.shown_score, loss.taken_for_score];
        writeln!(text, "    {picture}: {shown} at {own:.3}, {taken_for} at {other:.3}")?;
    }
    Ok(())
}

fn write_accepted(text: &mut String, accepted: &Accepted) -> std::fmt::Result {
    let Accepted { threshold, leaf, parent, together } = accepted;
    let wanted = threshold.precision * 100.0;
    if threshold.score.or(threshold.levels.iter().copied().flatten().next()).is_none() {
        return writeln!(text, "  at {wanted:.0} % right          nothing can be accepted");
    }
    let share = |taken: &Taken| taken.accepted.share * 100.0;
    let from = |score: Option<f64>| score.map_or("–".to_owned(), |score| format!("{score:.3}"));
    writeln!(
        text,
        "  at {wanted:.0} % right          {:.1} % accepted from score {} on, of those right {}",
        share(leaf),
        from(threshold.score),
        leaf.right
    )?;
    if threshold.levels.is_empty() {
        return Ok(());
    }
    let levels: Vec<String> = threshold.levels.iter().map(|score| from(*score)).collect();
    writeln!(
        text,
        "    by a parent only     {:.1} % more, levels from {}, of those right {}",
        share(parent),
        levels.join(", "),
        parent.right
    )?;
    writeln!(
        text,
        "    together             {:.1} %, of those right {}",
        share(together),
        together.right
    )
}

fn categories(text: &mut String, judgement: &Judgement) -> std::fmt::Result {
    let mut listed: Vec<_> =
        judgement.categories.iter().filter(|category| category.recall.of > 0).collect();
    listed.sort_by(|a, b| a.recall.share.total_cmp(&b.recall.share));
    let left = listed.len().saturating_sub(LISTED);
    writeln!(text, "  PRECISION  RECALL  PICTURES  CATEGORY")?;
    for category in listed.into_iter().take(LISTED) {
        let [precision, recall] =
            [category.precision, category.recall].map(|share| share.share * 100.0);
        let (of, category) = (category.recall.of, &category.category);
        writeln!(text, "  {precision:7.1} %  {recall:5.1} %  {of:8}  {category}")?;
    }
    if left > 0 {
        writeln!(text, "  … and {left} that are found more often")?;
    }
    Ok(())
}

//! The model card: what a person wants to know of a model before using it.

use crate::dataset::Part;
use crate::report::Judgement;
use crate::road::Trained;
use crate::road::tuning::Tuning;

/// `README.md` of a model folder, with the metadata that Hugging Face reads.
#[must_use]
pub fn card(trained: &Trained) -> String {
    let Trained { model, data, backbones, split, .. } = trained;
    let [train, validation, test] = Part::ALL.map(|part| data.count(part));
    let below: Vec<String> = (backbones.iter())
        .map(|below| format!("- `{}` ({} features, {})", below.name, below.features, below.version))
        .collect();
    // A network that began with random weights owes nothing to another.
    let below = match &trained.tuning {
        Some(tuning) if tuning.from_scratch => String::new(),
        Some(_) | None => format!(
            "## Networks below\n\n{}\n\nTheir licences hold for this model too.\n\n",
            below.join("\n")
        ),
    };
    let categories: Vec<String> =
        data.categories.keys().map(|category| format!("- {category}")).collect();
    let categories = categories.join("\n");
    let figures = match &trained.test {
        Some(test) => format!(
            "On {} pictures that neither training nor any choice has seen:\n\n{}",
            test.pictures,
            table(test)
        ),
        None => format!(
            "On the {} pictures that the settings were chosen on, so expect a little less on \
             others:\n\n{}",
            trained.validation.pictures,
            table(&trained.validation)
        ),
    };
    format!(
        "---\npipeline_tag: image-classification\nlibrary_name: onnx\ntags:\n- aisle\n---\n\n\
         # {model}\n\n\
         Tells product photographs apart. Made by {made_by}: {way}.\n\n\
         ## Figures\n\n{figures}\n\
         All figures, with the confusion matrix, stand in `report.json`.\n\n\
         ## Data\n\n\
         {train} pictures to learn from, {validation} to choose settings on, {test} to test on; \
         `split.csv` names each. Split with seed {seed}.\n\n\
         {below}\
         ## Settings\n\n\
         {settings}, temperature {temperature:.4}.\n\n\
         ## Limits\n\n\
         It knows the categories below and nothing else: a picture of something else is given \
         the nearest of them. Pictures of another kind than those it learned from are answered \
         less well than the figures say.\n\n\
         ## Categories\n\n{categories}\n",
        made_by = trained.made_by,
        seed = split.seed,
        way = way(trained),
        settings = settings(trained),
        temperature = trained.validation.calibration.temperature,
    )
}

/// How the model was made, in words.
fn way(trained: &Trained) -> String {
    match &trained.tuning {
        None => "a linear head, learned by logistic regression on the features of networks that \
                 were left as they are"
            .to_owned(),
        Some(tuning) if tuning.from_scratch => format!(
            "a compact network, learned from random weights in {} epochs{}",
            tuning.epochs_done.len().saturating_sub(1),
            teacher(tuning)
        ),
        Some(tuning) => {
            let layers = match tuning.rules.layers {
                Some(layers) => format!("the last {} layers", layers.min(tuning.layers_of_network)),
                None => "all layers".to_owned(),
            };
            format!(
                "a network of which the head and {layers} were learned on from where they \
                 were{}",
                teacher(tuning)
            )
        }
    }
}

fn teacher(tuning: &Tuning) -> String {
    let name = tuning.teacher.as_ref();
    name.map(|name| format!(", with the answers of {name} beside the labels")).unwrap_or_default()
}

fn settings(trained: &Trained) -> String {
    let head = trained.head.as_ref().map(|head| {
        let views = head.views.map_or_else(String::new, |views| {
            format!(", {} changed views of each picture with seed {}", views.number, views.seed)
        });
        let (lambda, balance) = (head.lambda, head.rules.balance);
        let hidden = head.rules.hidden.map_or_else(String::new, |units| {
            format!("A hidden layer of {units} units, seed {}; ", head.rules.seed)
        });
        format!("{hidden}regularisation {lambda}, balance of categories {balance}{views}")
    });
    let tuning = trained.tuning.as_ref().map(|tuning| {
        let rules = &tuning.rules;
        format!(
            "Best of {} epochs: {}; learning rate {}, {} pictures in a step, seed {}",
            tuning.epochs_done.len().saturating_sub(1),
            tuning.best,
            rules.learning_rate,
            rules.batch,
            rules.seed
        )
    });
    let all: Vec<String> = head.into_iter().chain(tuning).collect();
    all.join(". ")
}

fn table(judgement: &Judgement) -> String {
    let mut rows = vec![
        ("Best category right".to_owned(), judgement.top_1.to_string()),
        ("Among the best three".to_owned(), judgement.top_3.to_string()),
    ];
    for level in &judgement.levels {
        rows.push((format!("Level {} right", level.level), level.right.to_string()));
    }
    for accepted in &judgement.accepted {
        let wanted = accepted.threshold.precision * 100.0;
        let share = accepted.leaf.accepted.to_string();
        rows.push((format!("Accepted without a human at {wanted:.0} % right"), share));
        if accepted.parent.accepted.count > 0 {
            let share = accepted.parent.accepted.to_string();
            rows.push((format!("Parent category accepted at {wanted:.0} % right"), share));
        }
    }
    let [error, high] =
        [judgement.calibration.after, judgement.calibration.by_chance.high].map(|it| it * 100.0);
    let error = format!("{error:.1} %, where perfect scores would show up to {high:.1} %");
    rows.push(("Calibration error".to_owned(), error));
    let rows: Vec<String> =
        rows.into_iter().map(|(what, figure)| format!("| {what} | {figure} |\n")).collect();
    format!("| Figure | Share (95 % interval) |\n|---|---|\n{}", rows.concat())
}

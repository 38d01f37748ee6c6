//! Which model a job runs, and how many predictions it asks for.

use std::time::Duration;

use aisle_shared::domain::{AnnouncedModel, ModelCard, ModelName};

use crate::problem::{Code, FieldError, Problem};

/// Predictions for each image where a caller does not say.
const DEFAULT_TOP_K: usize = 5;

/// When to come back while no worker has announced a model.
const MODEL_RETRY: Duration = Duration::from_secs(10);

/// The model that jobs which name none get: the configured one, or the first
/// by name.
pub(crate) fn default_model<'a>(
    configured: Option<&ModelName>,
    announced: &'a [AnnouncedModel],
) -> Option<&'a ModelCard> {
    let cards = announced.iter().map(|model| &model.card);
    match configured {
        Some(name) => cards.into_iter().find(|card| card.name == *name),
        None => cards.min_by(|a, b| a.name.cmp(&b.name)),
    }
}

/// The model of a job.
pub(crate) fn choose_model<'a>(
    wanted: Option<&ModelName>,
    configured: Option<&ModelName>,
    announced: &'a [AnnouncedModel],
) -> Result<&'a ModelCard, Problem> {
    let none = |detail: &str| Problem::new(Code::NoModel, detail).retry_after(MODEL_RETRY);
    if announced.is_empty() {
        return Err(none("No worker has announced a model yet."));
    }
    let Some(wanted) = wanted else {
        return default_model(configured, announced)
            .ok_or_else(|| none("No worker has announced the default model yet; name another."));
    };
    announced
        .iter()
        .map(|model| &model.card)
        .find(|card| card.name == *wanted)
        .ok_or_else(|| unknown(wanted, announced))
}

fn unknown(wanted: &ModelName, announced: &[AnnouncedModel]) -> Problem {
    let there: Vec<_> = announced.iter().map(|model| model.card.name.as_str()).collect();
    let detail = format!("There is no model {wanted}. There are: {}.", there.join(", "));
    Problem::new(Code::UnknownModel, detail)
        .with_errors(vec![FieldError::at("#/model", "not announced")])
}

/// Predictions for each image of a job that runs `model`.
pub(crate) fn choose_top_k(wanted: Option<u32>, model: &ModelCard) -> Result<u32, Problem> {
    let most = u32::try_from(model.labels.len().max(1)).unwrap_or(u32::MAX);
    let usual = u32::try_from(DEFAULT_TOP_K).unwrap_or(u32::MAX).min(most);
    match wanted {
        None => Ok(usual),
        Some(top_k) if (1..=most).contains(&top_k) => Ok(top_k),
        Some(top_k) => {
            let detail = format!("top_k is {top_k}; model {} takes 1 to {most}.", model.name);
            Err(Problem::new(Code::InvalidTopK, detail)
                .with_errors(vec![FieldError::at("#/top_k", format!("not from 1 to {most}"))]))
        }
    }
}

/// The precision at which a job's answers are decided on, where its caller
/// chose one.
pub(crate) fn choose_precision(
    wanted: Option<f64>,
    model: &ModelCard,
) -> Result<Option<f64>, Problem> {
    let Some(wanted) = wanted else { return Ok(None) };
    let offered: Vec<f64> = model.accept.iter().map(|each| each.precision).collect();
    if offered.contains(&wanted) {
        return Ok(Some(wanted));
    }
    let offers = match offered.as_slice() {
        [] => "none".to_owned(),
        some => some.iter().map(f64::to_string).collect::<Vec<_>>().join(" and "),
    };
    let detail = format!("accept_precision is {wanted}; model {} offers {offers}.", model.name);
    Err(Problem::new(Code::PrecisionNotOffered, detail)
        .with_errors(vec![FieldError::at("#/accept_precision", "not offered by the model")]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aisle_shared::domain::{Acceptance, Activation};

    fn model(name: &str, labels: usize) -> AnnouncedModel {
        AnnouncedModel {
            card: ModelCard {
                name: name.parse().unwrap(),
                version: "v1".to_owned(),
                labels: (0..labels).map(|label| label.to_string()).collect(),
                input_size: [224, 224],
                activation: Activation::Softmax,
                provider: "cpu".to_owned(),
                precision: "fp32".to_owned(),
                accept: Vec::new(),
                trouble: None,
            },
            live_workers: 0,
        }
    }

    fn name(name: &str) -> ModelName {
        name.parse().unwrap()
    }

    #[test]
    fn a_job_that_names_no_model_gets_the_default_or_else_the_first_by_name() {
        let there = [model("b", 3), model("a", 3)];
        let chosen = |configured: Option<&ModelName>| {
            choose_model(None, configured, &there).unwrap().name.to_string()
        };
        assert_eq!(chosen(None), "a");
        assert_eq!(chosen(Some(&name("b"))), "b");
    }

    #[test]
    fn an_unknown_model_is_refused_with_a_list_of_those_there_are() {
        let there = [model("b", 3), model("a", 3)];
        let problem = choose_model(Some(&name("c")), None, &there).unwrap_err();
        assert_eq!(problem.code(), Code::UnknownModel);
        assert!(problem.to_string().contains("b, a"), "{problem}");
    }

    #[test]
    fn without_any_model_the_service_says_come_back() {
        assert_eq!(choose_model(None, None, &[]).unwrap_err().code(), Code::NoModel);
        let there = [model("a", 3)];
        let absent = name("absent");
        assert_eq!(choose_model(None, Some(&absent), &there).unwrap_err().code(), Code::NoModel);
    }

    #[test]
    fn top_k_is_five_or_all_labels_and_never_more_than_there_are() {
        assert_eq!(choose_top_k(None, &model("a", 100).card).unwrap(), 5);
        assert_eq!(choose_top_k(None, &model("a", 2).card).unwrap(), 2);
        assert_eq!(choose_top_k(Some(7), &model("a", 7).card).unwrap(), 7);
        for bad in [0, 8] {
            let problem = choose_top_k(Some(bad), &model("a", 7).card).unwrap_err();
            assert_eq!(problem.code(), Code::InvalidTopK);
        }
    }

    #[test]
    fn a_precision_is_one_that_the_model_offers() {
        let offer = |precision| Acceptance { precision, score: Some(0.5), levels: Vec::new() };
        let mut card = model("a", 3).card;
        assert_eq!(choose_precision(None, &card).unwrap(), None);
        let problem = choose_precision(Some(0.95), &card).unwrap_err();
        assert_eq!(problem.code(), Code::PrecisionNotOffered);
        assert!(problem.to_string().contains("offers none"), "{problem}");
        card.accept = vec![offer(0.95), offer(0.98)];
        assert_eq!(choose_precision(Some(0.98), &card).unwrap(), Some(0.98));
        for bad in [0.0, 0.96, 1.0, f64::NAN, f64::INFINITY] {
            let problem = choose_precision(Some(bad), &card).unwrap_err();
            assert!(problem.to_string().contains("0.95 and 0.98"), "{problem}");
        }
    }
}

//! What readers of the document rely on: people in Swagger UI, generators of
//! clients, testers.

use std::collections::HashSet;

use serde_json::{Map, Value};

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// What is missing in an OpenAPI document, one sentence each; empty when
/// nothing is.
#[must_use]
pub fn lint(document: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    let operations = operations(document);
    if operations.is_empty() {
        complaints.push("There is no operation.".to_owned());
    }
    check_names(&operations, &mut complaints);
    for (name, operation) in &operations {
        check_operation(document, name, operation, &mut complaints);
    }
    check_codes(document, &operations, &mut complaints);
    check_references(document, document, &mut complaints);
    complaints
}

/// Every operation with its method and path.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (path, item) in members(at(document, "/paths")) {
        let named = members(item).filter(|(key, _)| METHODS.contains(&key.as_str()));
        found.extend(named.map(|(method, operation)| (format!("{method} {path}"), operation)));
    }
    found
}

fn check_names(operations: &[(String, &Value)], complaints: &mut Vec<String>) {
    let mut seen = HashSet::new();
    for (name, operation) in operations {
        match at(operation, "/operationId").as_str() {
            None => complaints.push(format!("{name} has no operationId.")),
            Some(id) if !seen.insert(id) => {
                complaints.push(format!("{name} is not the only one named {id}."));
            }
            Some(_) => {}
        }
    }
}

fn check_operation(document: &Value, name: &str, operation: &Value, complaints: &mut Vec<String>) {
    if is_blank(at(operation, "/summary")) {
        complaints.push(format!("{name} has no summary."));
    }
    let declared: Vec<_> = elements(at(document, "/tags")).map(|tag| at(tag, "/name")).collect();
    if !elements(at(operation, "/tags")).any(|tag| declared.contains(&tag)) {
        complaints.push(format!("{name} has no tag that is declared."));
    }
    if elements(at(operation, "/security")).next().is_none() {
        complaints.push(format!("{name} does not say who may ask it."));
    }
    for parameter in elements(at(operation, "/parameters")) {
        if is_blank(at(parameter, "/description")) || parameter.get("schema").is_none() {
            complaints
                .push(format!("{name}: parameter {} is not described.", at(parameter, "/name")));
        }
    }
    for (kind, content) in members(at(operation, "/requestBody/content")) {
        if !says_something(content) {
            complaints.push(format!("{name}: a {kind} body is not described."));
        }
    }
    for (status, response) in members(at(operation, "/responses")) {
        if is_blank(at(response, "/description")) {
            complaints.push(format!("{name}: {status} is not described."));
        }
        check_content(name, status, response, complaints);
    }
}

fn check_content(name: &str, status: &str, response: &Value, complaints: &mut Vec<String>) {
    let is_bare = matches!(status, "204" | "304");
    if !is_bare && members(at(response, "/content")).next().is_none() {
        complaints.push(format!("{name}: {status} has no content."));
    }
    for (kind, content) in members(at(response, "/content")) {
        if !says_something(content) {
            complaints.push(format!("{name}: the {kind} of {status} has no schema or example."));
        }
        let is_error = status.starts_with(['4', '5']);
        if is_error && kind != "application/problem+json" {
            complaints.push(format!("{name}: {status} is no problem document."));
        }
    }
}

/// Each problem code stands with an operation, or in the introduction.
fn check_codes(document: &Value, operations: &[(String, &Value)], complaints: &mut Vec<String>) {
    let responses =
        operations.iter().flat_map(|(_, operation)| members(at(operation, "/responses")));
    let examples = responses.flat_map(|(_, response)| {
        members(at(response, "/content/application~1problem+json/examples"))
    });
    let shown: HashSet<_> = examples.map(|(code, _)| code.as_str()).collect();
    let introduction = at(document, "/info/description").as_str().unwrap_or_default();
    for code in elements(at(document, "/components/schemas/ProblemCode/enum")) {
        let code = code.as_str().unwrap_or_default();
        if !shown.contains(code) && !introduction.contains(&format!("`{code}`")) {
            complaints.push(format!("Problem {code} is documented nowhere."));
        }
    }
}

/// Each `$ref` below `value` leads somewhere in the document.
fn check_references(document: &Value, value: &Value, complaints: &mut Vec<String>) {
    if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
        let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
        if target.is_none() {
            complaints.push(format!("{reference} leads nowhere."));
        }
    }
    for (_, inner) in members(value) {
        check_references(document, inner, complaints);
    }
    for inner in elements(value) {
        check_references(document, inner, complaints);
    }
}

fn says_something(content: &Value) -> bool {
    ["schema", "example", "examples"].iter().any(|key| content.get(key).is_some())
}

fn is_blank(text: &Value) -> bool {
    text.as_str().is_none_or(|text| text.trim().is_empty())
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn elements(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// What stands at a JSON pointer; null when nothing does.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sound() -> Value {
        json!({
            "info": {"description": "`lost` for what is lost."},
            "tags": [{"name": "jobs"}],
            "paths": {"/jobs": {"get": {
                "operationId": "list", "summary": "List", "tags": ["jobs"],
                "security": [{"api_key": ["jobs:read"]}],
                "parameters": [{"name": "limit", "description": "At most.", "schema": {}}],
                "responses": {
                    "200": {"description": "All.", "content": {"application/json":
                        {"schema": {"$ref": "#/components/schemas/ProblemCode"}}}},
                    "503": {"description": "None.", "content": {"application/problem+json":
                        {"examples": {"full": {}}}}},
                },
            }}},
            "components": {"schemas": {"ProblemCode": {"enum": ["full", "lost"]}}},
        })
    }

    fn complaint_without(pointer: &str) -> String {
        let mut document = sound();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = document.pointer_mut(parent).unwrap();
        if let Some(elements) = parent.as_array_mut() {
            elements.remove(key.parse().unwrap());
        } else {
            parent.as_object_mut().unwrap().remove(&key.replace("~1", "/")).unwrap();
        }
        lint(&document).join(" ")
    }

    #[test]
    fn a_sound_document_gives_no_cause_for_complaint() {
        assert_eq!(lint(&sound()), [] as [String; 0]);
    }

    #[test]
    fn whatever_is_missing_is_named() {
        for (pointer, complaint) in [
            ("/paths/~1jobs/get/operationId", "no operationId"),
            ("/paths/~1jobs/get/summary", "no summary"),
            ("/tags/0", "no tag"),
            ("/paths/~1jobs/get/security", "does not say who may ask"),
            ("/paths/~1jobs/get/parameters/0/schema", "parameter \"limit\""),
            ("/paths/~1jobs/get/responses/200/description", "200 is not described"),
            ("/paths/~1jobs/get/responses/200/content/application~1json/schema", "no schema"),
            ("/paths/~1jobs/get/responses/200/content", "no content"),
            (
                "/paths/~1jobs/get/responses/503/content/application~1problem+json/examples/full",
                "full is documented nowhere",
            ),
            ("/info/description", "lost is documented nowhere"),
            ("/components/schemas", "leads nowhere"),
            ("/paths/~1jobs", "no operation"),
        ] {
            let complaints = complaint_without(pointer);
            assert!(complaints.contains(complaint), "{pointer}: {complaints}");
        }
    }

    #[test]
    fn an_error_that_is_no_problem_document_is_named() {
        let mut document = sound();
        let content = &mut document["paths"]["/jobs"]["get"]["responses"]["503"]["content"];
        *content = json!({"text/plain": {"schema": {}}});
        assert!(lint(&document).join(" ").contains("503 is no problem document"));
    }
}

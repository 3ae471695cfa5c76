//! The pages as HTML. Whatever stands in a text goes through [`escape`].

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Answers, Entry, Standing};
use crate::pages::escape;

pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const STYLE: &str = "/docs/docs.css";
pub(super) const SCRIPT: &str = "/docs/try.mjs";

/// Writes formatted HTML at the end of a text; writing into a text cannot fail.
macro_rules! push {
    ($html:expr, $($arguments:tt)*) => {{
        let _ = write!($html, $($arguments)*);
    }};
}

fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <link rel=\"stylesheet\" href=\"{STYLE}\">\n<script type=\"module\" src=\"{SCRIPT}\"></script>\n</head>\n\
         <body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )
}

/// The list of all documents.
pub(super) fn index(entries: &[(&Entry, Value)]) -> String {
    let mut rows = String::new();
    for (entry, json) in entries {
        for (place, standing) in entry.standings.iter().enumerate() {
            push!(rows, "<tr><td>{}</td>", escape(entry.document.publisher().name.as_str()));
            push!(
                rows,
                "<td><a href=\"{0}#operation-{place}\">{1} {2}</a></td><td><code>{3} {4}</code></td>",
                escape(&entry.path),
                escape(entry.document.api()),
                escape(entry.document.contract()),
                standing.method,
                escape(&standing.path),
            );
            push!(rows, "<td>{}</td>", scopes(operation(json, standing)));
            push!(
                rows,
                "<td>{}</td><td><a href=\"{}/openapi.json\">JSON<span class=\"unseen\"> of {} {}</span></a></td></tr>\n",
                escape(&note(standing.answers)),
                escape(&entry.path),
                escape(entry.document.api()),
                escape(entry.document.contract()),
            );
        }
    }
    let body = format!(
        "<h1>What this server answers</h1>\n\
         <p>Every version of every API, by publisher. Each has a page with its fields, its errors and a form to try \
         it, and a document in OpenAPI 3.1 for programs.</p>\n\
         <div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"All APIs\"><table>\n\
         <thead><tr><th scope=\"col\">Publisher</th><th scope=\"col\">API and version</th><th scope=\"col\">Request</th>\
         <th scope=\"col\">Scope</th><th scope=\"col\">At this path</th><th scope=\"col\">Document</th></tr></thead>\n\
         <tbody>\n{rows}</tbody></table></div>\n"
    );
    page("APIs of this server", &body)
}

/// Whether a version is to be met at its path.
fn note(answers: Answers) -> String {
    match answers {
        Answers::Itself => "it answers".to_owned(),
        Answers::WhatIsMeant => "it answers what is meant for it".to_owned(),
        Answers::Other(contract) => format!("{contract} answers, and this version if it is pinned"),
        Answers::Nobody => "another version is pinned".to_owned(),
    }
}

/// The operation of a document that stands somewhere.
fn operation<'a>(json: &'a Value, standing: &Standing) -> &'a Value {
    &json["paths"][&standing.end][standing.method.to_ascii_lowercase()]
}

/// The scopes of which an operation needs one.
fn scopes(operation: &Value) -> String {
    let scopes = operation["security"][0]["openId"].as_array().into_iter().flatten();
    let scopes: Vec<String> = scopes.map(|scope| format!("<code>{}</code>", escape(text(scope)))).collect();
    scopes.join(" or ")
}

/// The page of a document.
pub(super) fn document(entry: &Entry, json: &Value) -> String {
    let publisher = entry.document.publisher();
    let title = format!("{} {}", text(&json["info"]["title"]), entry.document.contract());
    let mut body = format!(
        "<nav aria-label=\"Up\"><a href=\"/docs\">All APIs</a></nav>\n<h1>{}</h1>\n<p>Publisher: {}. \
         Document: <a href=\"{}/openapi.json\">openapi.json</a>. Tokens: <code>POST {}{}</code>.</p>\n",
        escape(&title),
        escape(publisher.name.as_str()),
        escape(&entry.path),
        publisher.root,
        publisher.authorization.token_path,
    );
    for (place, standing) in entry.standings.iter().enumerate() {
        push_operation(&mut body, place, standing, json);
    }
    page(&format!("{title} ({})", publisher.name), &body)
}

fn push_operation(html: &mut String, place: usize, standing: &Standing, json: &Value) {
    let operation = operation(json, standing);
    push!(
        html,
        "<section id=\"operation-{place}\" aria-labelledby=\"path-{place}\">\n\
         <h2 id=\"path-{place}\"><code>{} {}</code></h2>\n<p>{}. Needs the scope {}. At this path {}.</p>\n",
        standing.method,
        escape(&standing.path),
        escape(text(&operation["summary"])),
        scopes(operation),
        escape(&note(standing.answers)),
    );
    let content = &operation["requestBody"]["content"]["application/json"];
    if content.is_object() {
        push_fields(html, "Request", json, &content["schema"]);
    }
    let responses = &operation["responses"];
    if let Some(response) = ["200", "201", "204"].into_iter().find_map(|status| responses.get(status)) {
        match response.pointer("/content/application~1json/schema") {
            Some(schema) if schema["type"] == "array" => {
                push_fields(html, "Each of the answer", json, &schema["items"]);
            }
            Some(schema) => push_fields(html, "Answer", json, schema),
            None => html.push_str("<h3>Answer</h3>\n<p>Nothing but the status.</p>\n"),
        }
    }
    push_errors(html, operation);
    push_events(html, json, operation);
    if let Answers::Itself | Answers::WhatIsMeant = standing.answers {
        let example = content.get("example").map(|example| serde_json::to_string_pretty(example).unwrap_or_default());
        push_form(html, place, standing, example.as_deref());
    }
    html.push_str("</section>\n");
}

/// The events that the sink of a request is told.
fn push_events(html: &mut String, json: &Value, operation: &Value) {
    let callbacks = operation["callbacks"]["notifications"].as_object().into_iter().flatten();
    for (sink, callback) in callbacks {
        push!(
            html,
            "<h3>Events</h3>\n<p>Sent by <code>POST</code> to <code>{}</code>, as \
             <code>application/cloudevents+json</code>.</p>\n",
            escape(sink)
        );
        let content = &callback["post"]["requestBody"]["content"]["application/cloudevents+json"];
        let forms = merged(json, &[&content["schema"]]);
        for (name, form) in forms.iter().filter_map(|schema| schema["discriminator"]["mapping"].as_object()).flatten() {
            push!(html, "<details><summary><code>{}</code></summary>\n", escape(name));
            push_fields(html, "Fields", json, &json!({ "$ref": form }));
            let last = name.rsplit('.').next().unwrap_or(name);
            let example = serde_json::to_string_pretty(&content["examples"][last]["value"]).unwrap_or_default();
            push!(html, "<pre>{}</pre>\n</details>\n", escape(&example));
        }
    }
}

fn push_fields(html: &mut String, name: &str, json: &Value, schema: &Value) {
    let mut rows = String::new();
    for field in fields(json, &[schema], "") {
        let required = if field.is_required { "required" } else { "optional" };
        push!(
            rows,
            "<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{required}</td><td>{}</td></tr>\n",
            escape(&field.path),
            escape(&field.kind),
            escape(&field.limits),
        );
    }
    push!(
        html,
        "<h3>{name}</h3>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Fields\"><table>\n<thead><tr>\
         <th scope=\"col\">Field</th><th scope=\"col\">Type</th><th scope=\"col\">Presence</th>\
         <th scope=\"col\">Limits</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    );
}

/// A field as a row of a table.
struct Field {
    path: String,
    kind: String,
    is_required: bool,
    limits: String,
}

/// The fields of an object, and of the objects in it, by what all of some schemas say.
fn fields(json: &Value, schemas: &[&Value], above: &str) -> Vec<Field> {
    let schemas = merged(json, schemas);
    let required: Vec<&str> = lists(&schemas, "required").filter_map(Value::as_str).collect();
    let mut fields = Vec::new();
    for (name, property) in schemas.iter().filter_map(|schema| schema["properties"].as_object()).flatten() {
        let path = format!("{above}{name}");
        let of_field = merged(json, &[property]);
        let items = of_field.iter().find_map(|schema| schema.get("items")).map(|items| merged(json, &[items]));
        let mut kind = kind(&of_field).to_owned();
        let mut limits = limits(&of_field);
        if let Some(items) = &items {
            kind = format!("{kind} of {}", self::kind(items));
            limits.extend(self::limits(items));
        }
        let below = self::fields(json, &[property], &format!("{path}."));
        let is_required = required.contains(&name.as_str());
        fields.push(Field { path, kind, is_required, limits: limits.join("; ") });
        fields.extend(below);
    }
    fields
}

fn kind<'a>(schemas: &[&'a Value]) -> &'a str {
    schemas.iter().find_map(|schema| schema["type"].as_str()).unwrap_or("any")
}

/// What a schema demands of a value, in words.
fn limits(schemas: &[&Value]) -> Vec<String> {
    let mut limits = Vec::new();
    let values: Vec<&str> = lists(schemas, "enum").filter_map(Value::as_str).collect();
    if !values.is_empty() {
        limits.push(format!("one of {}", values.join(", ")));
    }
    for (keyword, words) in [
        ("format", ""),
        ("pattern", "matches "),
        ("minimum", "at least "),
        ("maximum", "at most "),
        ("minProperties", "least fields: "),
        ("maxProperties", "most fields: "),
    ] {
        let values = schemas.iter().filter_map(|schema| schema.get(keyword));
        limits
            .extend(values.map(|value| format!("{words}{}", value.as_str().map_or(value.to_string(), str::to_owned))));
    }
    let alternatives: Vec<String> = lists(schemas, "anyOf")
        .filter_map(|alternative| alternative["required"].as_array())
        .map(|names| names.iter().map(text).collect::<Vec<_>>().join(" and "))
        .collect();
    if !alternatives.is_empty() {
        limits.push(format!("with {}", alternatives.join(", or ")));
    }
    limits
}

/// Some schemas that all hold, without references and `allOf`.
fn merged<'a>(json: &'a Value, schemas: &[&'a Value]) -> Vec<&'a Value> {
    let mut merged = Vec::new();
    for schema in schemas {
        let referred = schema["$ref"].as_str().and_then(|reference| json.pointer(reference.trim_start_matches('#')));
        let schema = referred.unwrap_or(schema);
        merged.push(schema);
        for part in schema["allOf"].as_array().into_iter().flatten() {
            merged.extend(self::merged(json, &[part]));
        }
    }
    merged
}

fn lists<'a>(schemas: &[&'a Value], keyword: &str) -> impl Iterator<Item = &'a Value> {
    let lists: Vec<&Value> = schemas.iter().filter_map(|schema| schema[keyword].as_array()).flatten().collect();
    lists.into_iter()
}

fn push_errors(html: &mut String, operation: &Value) {
    let mut rows = String::new();
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let examples = response["content"]["application/json"]["examples"].as_object();
        for (name, example) in examples.into_iter().flatten() {
            let body = &example["value"];
            let code = body["code"].as_str().map_or_else(|| body["code"].to_string(), str::to_owned);
            push!(
                rows,
                "<tr><th scope=\"row\">{}</th><td><code>{}</code></td><td>{}</td><td>{}</td></tr>\n",
                escape(status),
                escape(&code),
                escape(&name.replace('_', " ")),
                escape(text(&body["message"])),
            );
        }
    }
    push!(
        html,
        "<details><summary>Errors</summary>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Errors\">\
         <table>\n<thead><tr><th scope=\"col\">Status</th><th scope=\"col\">Code</th><th scope=\"col\">When</th>\
         <th scope=\"col\">Message, for example</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n</details>\n"
    );
}

fn push_form(html: &mut String, place: usize, standing: &Standing, body: Option<&str>) {
    push!(
        html,
        "<h3>Try it</h3>\n<form data-path=\"{}\" data-method=\"{}\" aria-labelledby=\"path-{place}\">\n\
         <label for=\"token-{place}\">Access token</label>\n\
         <input id=\"token-{place}\" name=\"token\" autocomplete=\"off\" spellcheck=\"false\" \
         aria-describedby=\"token-hint-{place}\">\n\
         <p id=\"token-hint-{place}\" class=\"hint\">Sent as <code>Authorization: Bearer …</code>; without one the \
         header is left out.</p>\n\
         <label for=\"correlator-{place}\">x-correlator (optional)</label>\n\
         <input id=\"correlator-{place}\" name=\"correlator\" autocomplete=\"off\" spellcheck=\"false\">\n",
        escape(&standing.path),
        standing.method,
    );
    if standing.path.contains("{subscriptionId}") {
        push!(
            html,
            "<label for=\"subscription-{place}\">subscriptionId</label>\n\
             <input id=\"subscription-{place}\" name=\"subscriptionId\" autocomplete=\"off\" spellcheck=\"false\" \
             required>\n",
        );
    }
    if let Some(body) = body {
        push!(
            html,
            "<label for=\"body-{place}\">Body</label>\n\
             <textarea id=\"body-{place}\" name=\"body\" rows=\"7\" spellcheck=\"false\">{}</textarea>\n",
            escape(body),
        );
    }
    html.push_str(
        "<button>Send</button>\n\
         <noscript><p>The form needs JavaScript; everything else on this page does not.</p></noscript>\n\
         </form>\n<div class=\"outcome\" role=\"status\" aria-live=\"polite\">Nothing has been sent yet.</div>\n",
    );
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_read_as_html() {
        assert_eq!(escape("<a href=\"'&'\">"), "&lt;a href=&quot;&#39;&amp;&#39;&quot;&gt;");
    }

    #[test]
    fn the_fields_of_a_schema_are_listed_with_those_below_them() {
        let json = json!({
            "components": { "schemas": {
                "Device": { "type": "object", "minProperties": 1, "properties": { "port": { "type": "integer", "maximum": 9 } } },
            } },
        });
        let schema = json!({
            "allOf": [
                { "properties": { "device": { "allOf": [{ "$ref": "#/components/schemas/Device" }] } } },
                { "properties": { "ways": { "type": "array", "items": { "type": "string", "enum": ["DATA", "SMS"] } } }, "required": ["ways"] },
            ],
        });
        let listed: Vec<_> = fields(&json, &[&schema], "")
            .into_iter()
            .map(|field| (field.path, field.kind, field.is_required, field.limits))
            .collect();
        let row = |path: &str, kind: &str, required, limits: &str| (path.into(), kind.into(), required, limits.into());
        assert_eq!(
            listed,
            [
                row("device", "object", false, "least fields: 1"),
                row("device.port", "integer", false, "at most 9"),
                row("ways", "array of string", true, "one of DATA, SMS"),
            ]
        );
    }
}

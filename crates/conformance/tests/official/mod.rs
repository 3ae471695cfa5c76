//! The official contracts, where they are at hand.

use std::path::Path;

use serde_json::Value;

/// The contract of an API in a version, or `None` where it is not at hand.
pub(crate) fn document(api: &str, version: &str) -> Option<Value> {
    let path = format!("../../../shared/camara/{api}/{version}/openapi.yaml");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()?;
    Some(serde_saphyr::from_str(&text).unwrap())
}

/// What a value stands for, if it refers to another.
pub(crate) fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => resolve(document, document.pointer(reference.trim_start_matches('#')).unwrap()),
        None => value,
    }
}

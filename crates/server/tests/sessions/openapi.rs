use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::api::Api;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The methods of each path that the document describes.
fn described(document: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let methods =
        |item: &Value| METHODS.into_iter().filter(|method| item.get(method).is_some()).map(str::to_uppercase).collect();
    document["paths"].as_object().unwrap().iter().map(|(path, item)| (path.clone(), methods(item))).collect()
}

/// The paths that the sources mount.
fn mounted(folder: &Path, paths: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            mounted(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(path).unwrap();
            let routes = source.split(".route(").skip(1);
            paths.extend(routes.map(|rest| rest.split('"').nth(1).expect("a route is a literal").to_owned()));
        }
    }
}

#[test]
fn every_route_is_described_and_every_description_is_a_route() {
    let api = Api::start();
    let document = api.call("GET", "openapi.json", &Value::Null).json();
    let mut paths = BTreeSet::new();
    mounted(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sessions"), &mut paths);
    let described = described(&document);
    assert_eq!(described.keys().cloned().collect::<BTreeSet<_>>(), paths);
    for (path, methods) in described {
        let refused = api.server.send("PROPFIND", &path.replace("{id}", "none"), &[], "");
        assert_eq!(refused.status, 405, "{path}: {refused:?}");
        let allowed: BTreeSet<String> = refused.header("allow").unwrap().split(',').map(str::to_owned).collect();
        assert_eq!(allowed.into_iter().filter(|method| method != "HEAD").collect::<BTreeSet<_>>(), methods, "{path}");
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let document = Api::start().call("GET", "openapi.json", &Value::Null).json();
    assert_eq!(document["openapi"], "3.1.0");
    let text = document.to_string();
    let references: BTreeSet<&str> =
        text.split(r##""$ref":"#"##).skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(references.len() > 20);
    for reference in references {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
    let mut ids = BTreeSet::new();
    for operation in document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values())
    {
        if let Some(id) = operation["operationId"].as_str() {
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
        }
    }
}

//! The OpenAPI document against the router, and against its copy in the documentation.

use std::path::Path;

use http::Method;
use serde_json::Value;

use crate::harness::Harness;

async fn document() -> (Harness, Value) {
    let h = Harness::start().await;
    let document = h.get("/openapi.json").send().await.json();
    (h, document)
}

#[tokio::test]
async fn every_path_has_exactly_the_methods_that_are_documented() {
    let (h, document) = document().await;
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 18);
    for (path, methods) in paths {
        let path = path.replace("{id}", "01980000-0000-7000-8000-000000000000");
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = h.call(method.clone(), &path).send().await;
            let documented = methods.get(method.as_str().to_ascii_lowercase()).is_some();
            assert_eq!(answer.status != 405, documented, "{method} {path}");
            if !documented {
                let allow = answer.header("allow").unwrap();
                let named = methods.as_object().unwrap().keys();
                assert!(
                    named.clone().all(|name| allow.contains(&name.to_ascii_uppercase())),
                    "{path}: {allow}"
                );
            }
        }
    }
}

#[tokio::test]
async fn every_schema_that_is_referred_to_is_there() {
    let (_h, document) = document().await;
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
}

/// `UPDATE_DOCS=1` writes the copy anew.
#[tokio::test]
async fn the_copy_in_the_documentation_is_current() {
    let (_h, mut document) = document().await;
    document["servers"][0]["url"] = "http://127.0.0.1:8080".into();
    let current = format!("{}\n", serde_json::to_string_pretty(&document).unwrap());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &current).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(kept, current, "docs/openapi.json is out of date: run the tests with UPDATE_DOCS=1");
}

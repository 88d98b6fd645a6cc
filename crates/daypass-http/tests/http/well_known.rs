//! The well-known documents.

use insta::assert_snapshot;
use serde_json::Value;

use crate::harness::Harness;
use crate::shown;

const DOCUMENTS: [&str; 3] = [
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
];

#[tokio::test]
async fn the_documents() {
    let h = Harness::start().await;
    let mut answers = Vec::new();
    for path in DOCUMENTS {
        answers.push((path, h.get(path).send().await));
    }
    assert_snapshot!(shown::all(&answers));
}

#[tokio::test]
async fn who_has_a_document_is_not_sent_it_again() {
    let h = Harness::start().await;
    for path in DOCUMENTS {
        let etag = h.get(path).send().await.header("etag").unwrap().to_owned();
        for tags in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
            let answer = h.get(path).header("if-none-match", &tags).send().await;
            assert_eq!((answer.status.as_u16(), answer.body.len()), (304, 0), "{path} {tags}");
            assert_eq!(answer.header("etag"), Some(etag.as_str()));
            assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
        }
        assert_eq!(h.get(path).header("if-none-match", "\"x\"").send().await.status, 200);
        assert_eq!(h.post(path).send().await.header("allow"), Some("GET, HEAD"));
    }
}

#[tokio::test]
async fn no_list_is_empty_and_every_endpoint_is_there() {
    let h = Harness::start().await;
    for path in &DOCUMENTS[1..] {
        let document = h.get(path).send().await.json();
        for (name, value) in document.as_object().unwrap() {
            assert!(value.as_array().is_none_or(|list| !list.is_empty()), "{name}");
            if name.ends_with("_endpoint") || name == "jwks_uri" {
                let path = value.as_str().unwrap().strip_prefix("https://id.example").unwrap();
                assert_ne!(h.get(path).send().await.status, 404, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn no_private_part_is_published() {
    let h = Harness::start().await;
    let keys = h.get(DOCUMENTS[0]).send().await.json();
    for key in keys["keys"].as_array().unwrap() {
        let names: Vec<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(
            !names.iter().any(|name| ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"].contains(name))
        );
        assert_ne!(key["kty"], Value::from("oct"));
    }
}

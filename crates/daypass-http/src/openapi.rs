//! The OpenAPI document: paths from the table of routes, schemas by hand.

use serde_json::{Map, Value, json};

use crate::problem;
use crate::routes::{Operation, RESOURCES, Takes, Who};

/// The document, for a service at `issuer`.
pub(crate) fn document(issuer: &str) -> Value {
    let mut paths = Map::new();
    for resource in RESOURCES {
        let operations = resource.operations.iter();
        let methods: Map<String, Value> = operations
            .map(|operation| (operation.method.as_str().to_ascii_lowercase(), described(operation)))
            .collect();
        paths.insert(resource.path.to_owned(), Value::Object(methods));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Daypass",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Keeps people signed in with tokens that expire. Times are Unix seconds unless \
                their name says otherwise.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": issuer }],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "accessToken": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
                "clientBasic": { "type": "http", "scheme": "basic" },
                "refreshCookie": { "type": "apiKey", "in": "cookie", "name": "__Host-Http-daypass" },
            },
        },
    })
}

fn described(operation: &Operation) -> Value {
    let mut object = Map::new();
    object.insert("operationId".to_owned(), operation.id.into());
    object.insert("summary".to_owned(), operation.summary.into());
    object.insert("security".to_owned(), security(operation.who));
    let parameters = parameters(operation);
    if !parameters.is_empty() {
        object.insert("parameters".to_owned(), Value::Array(parameters));
    }
    match operation.takes {
        Takes::Json(schema) => {
            object.insert("requestBody".to_owned(), body("application/json", schema));
        }
        Takes::Form(schema) => {
            object.insert("requestBody".to_owned(), body("application/x-www-form-urlencoded", schema));
        }
        Takes::Nothing | Takes::Query(_) | Takes::Path(_) => {}
    }
    let common = COMMON.iter().filter(|(status, _)| match status {
        413 | 415 => matches!(operation.takes, Takes::Json(_) | Takes::Form(_)),
        _ => operation.who != Who::Anybody || matches!(operation.takes, Takes::Json(_)),
    });
    let own = operation.answers.iter().map(|(status, schema)| (*status, *schema));
    let error = operation.answers.iter().find(|(status, _)| *status == 400).map_or("Problem", |(_, s)| *s);
    let responses: Map<String, Value> = own
        .chain(common.map(|(status, _)| (*status, error)))
        .map(|(status, schema)| (status.to_string(), response(status, schema)))
        .collect();
    object.insert("responses".to_owned(), Value::Object(responses));
    Value::Object(object)
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let mut all: Vec<Value> = match operation.takes {
        Takes::Query(parameters) => parameters
            .iter()
            .map(|(name, kind, meaning)| {
                json!({ "name": name, "in": "query", "description": meaning, "schema": { "type": kind } })
            })
            .collect(),
        Takes::Path(name) => {
            vec![json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })]
        }
        Takes::Nothing | Takes::Json(_) | Takes::Form(_) => Vec::new(),
    };
    all.extend(operation.headers.iter().map(|(name, meaning)| {
        json!({ "name": name, "in": "header", "description": meaning, "schema": { "type": "string" } })
    }));
    all
}

/// What any operation that takes something may answer beside its own.
const COMMON: &[(u16, &str)] =
    &[(413, "too large"), (415, "another kind of body"), (503, "come back after Retry-After")];

fn security(who: Who) -> Value {
    match who {
        Who::Anybody => json!([]),
        Who::Bearer => json!([{ "accessToken": [] }]),
        Who::RefreshToken => json!([{}, { "refreshCookie": [] }]),
        Who::EitherToken => json!([{}, { "refreshCookie": [] }, { "accessToken": [] }]),
        Who::Client => json!([{}, { "clientBasic": [] }]),
    }
}

fn body(media_type: &str, schema: &str) -> Value {
    json!({ "content": { media_type: { "schema": reference(schema) } } })
}

fn response(status: u16, schema: &str) -> Value {
    let meaning = match status {
        200 => "Done",
        204 => "Done, and there is nothing to say",
        304 => "What you have is current",
        400 => "The request is wrong",
        401 => "Not, or not well, authenticated",
        403 => "Not allowed",
        404 => "There is none",
        409 => "It does not fit the present state; nothing has changed",
        413 => "The request is too large",
        415 => "The request body is of another kind",
        429 => "Too many failed attempts: come back after Retry-After",
        _ => "Not at the moment: come back after Retry-After",
    };
    let media_type = match schema {
        "" => return json!({ "description": meaning }),
        "text" | "events" => {
            let media_type = if schema == "text" { "text/plain" } else { "text/event-stream" };
            return json!({ "description": meaning, "content": { media_type: {
                "schema": { "type": "string" } } } });
        }
        "Problem" => "application/problem+json",
        "KeySet" => "application/jwk-set+json",
        _ => "application/json",
    };
    json!({ "description": meaning, "content": { media_type: { "schema": reference(schema) } } })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

/// An object's schema: members with their schemas; those whose name ends in `?` may be absent.
fn object(members: &[(&str, Value)]) -> Value {
    Value::Object(object_members(members))
}

/// A JSON request's schema: unknown members are refused.
fn strict(members: &[(&str, Value)]) -> Value {
    let mut schema = object_members(members);
    schema.insert("additionalProperties".to_owned(), false.into());
    Value::Object(schema)
}

fn object_members(members: &[(&str, Value)]) -> Map<String, Value> {
    let required: Vec<&str> =
        members.iter().map(|(name, _)| *name).filter(|name| !name.ends_with('?')).collect();
    let properties: Map<String, Value> = members
        .iter()
        .map(|(name, schema)| (name.trim_end_matches('?').to_owned(), schema.clone()))
        .collect();
    let mut object = collected([("type", "object".into()), ("properties", Value::Object(properties))]);
    if !required.is_empty() {
        object.insert("required".to_owned(), required.into());
    }
    object
}

fn schemas() -> Value {
    let mut all = requests();
    all.extend(answers());
    Value::Object(all)
}

fn collected<const N: usize>(schemas: [(&str, Value); N]) -> Map<String, Value> {
    schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

fn requests() -> Map<String, Value> {
    let text = || json!({ "type": "string" });
    let secret = || json!({ "type": "string", "format": "password" });
    let grants = json!({ "type": "string", "enum": ["refresh_token", "client_credentials"] });
    collected([
        (
            "Login",
            strict(&[
                ("username", text()),
                ("password", secret()),
                ("transport?", json!({ "type": "string", "enum": ["body", "cookie"], "default": "body" })),
                ("label?", json!({ "type": "string", "maxLength": 128 })),
                ("scope?", text()),
                ("client_id?", text()),
            ]),
        ),
        ("Refresh", strict(&[("refresh_token?", secret()), ("attempt?", text())])),
        ("Logout", strict(&[("refresh_token?", secret())])),
        ("PasswordChange", strict(&[("current", secret()), ("new", secret())])),
        (
            "TokenRequest",
            object(&[
                ("grant_type", grants),
                ("refresh_token?", secret()),
                ("attempt?", text()),
                ("scope?", text()),
                ("resource?", text()),
                ("client_id?", text()),
                ("client_secret?", secret()),
            ]),
        ),
        (
            "TokenInQuestion",
            object(&[
                ("token", secret()),
                ("token_type_hint?", text()),
                ("client_id?", text()),
                ("client_secret?", secret()),
            ]),
        ),
    ])
}

fn answers() -> Map<String, Value> {
    let mut all = answers_with_tokens();
    all.extend(answers_about_people());
    all.extend(answers_about_the_service());
    all.extend(errors());
    all
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn number() -> Value {
    json!({ "type": "integer" })
}

fn flag() -> Value {
    json!({ "type": "boolean" })
}

fn texts() -> Value {
    json!({ "type": "array", "items": { "type": "string" } })
}

fn answers_with_tokens() -> Map<String, Value> {
    collected([
        (
            "Pair",
            object(&[
                ("access_token?", text()),
                ("token_type", text()),
                ("expires_in", number()),
                ("refresh_token?", text()),
                ("refresh_expires_in?", number()),
                ("generation?", number()),
                ("refresh_in", number()),
                ("server_time", json!({ "type": "integer", "description": "Unix milliseconds" })),
                ("session_id?", text()),
                ("scope", text()),
            ]),
        ),
        (
            "Introspection",
            object(&[
                ("active", flag()),
                ("token_use?", json!({ "type": "string", "enum": ["access_token", "refresh_token"] })),
                ("token_type?", text()),
                ("scope?", text()),
                ("client_id?", text()),
                ("username?", text()),
                ("sub?", text()),
                ("iss?", text()),
                ("aud?", json!({ "type": ["string", "array"], "items": { "type": "string" } })),
                ("iat?", number()),
                ("exp?", number()),
                ("nbf?", number()),
                ("jti?", text()),
                ("sid?", text()),
                ("auth_time?", number()),
                ("amr?", texts()),
                ("cnf?", json!({ "type": "object" })),
            ]),
        ),
    ])
}

fn answers_about_people() -> Map<String, Value> {
    let perhaps = || json!({ "type": ["string", "null"] });
    let session = object(&[
        ("id", text()),
        ("client_id", text()),
        ("label", perhaps()),
        ("user_agent", perhaps()),
        ("address", perhaps()),
        ("created_at", number()),
        ("seen_at", number()),
        ("expires_at", json!({ "type": ["integer", "null"] })),
        ("current", flag()),
    ]);
    collected([
        ("Sessions", object(&[("sessions", json!({ "type": "array", "items": session }))])),
        (
            "Me",
            object(&[
                ("sub", text()),
                ("username?", text()),
                ("claims", json!({ "type": "object" })),
                ("session_id", text()),
                ("scope", text()),
                ("auth_time", number()),
            ]),
        ),
    ])
}

fn answers_about_the_service() -> Map<String, Value> {
    let entry = object(&[
        ("sid?", text()),
        ("sub?", text()),
        ("not_before_ms?", number()),
        ("at_ms", number()),
        ("until", number()),
    ]);
    let check = || json!({ "type": "string", "enum": ["ok", "failing"] });
    collected([
        (
            "Feed",
            object(&[
                ("cursor", text()),
                ("complete", flag()),
                ("reset?", flag()),
                ("entries", json!({ "type": "array", "items": entry })),
            ]),
        ),
        ("KeySet", object(&[("keys", json!({ "type": "array", "items": { "type": "object" } }))])),
        (
            "Metadata",
            object(&[
                ("issuer", text()),
                ("token_endpoint", text()),
                ("revocation_endpoint", text()),
                ("introspection_endpoint", text()),
                ("jwks_uri", text()),
                ("response_types_supported", texts()),
                ("grant_types_supported", texts()),
            ]),
        ),
        ("Health", object(&[("status", text())])),
        (
            "Readiness",
            object(&[
                ("ready", flag()),
                ("checks", object(&[("store", check()), ("keys", check()), ("feed", check())])),
            ]),
        ),
        ("OpenApi", json!({ "type": "object" })),
    ])
}

fn errors() -> Map<String, Value> {
    let reasons = json!({ "type": "string", "enum": ["expired", "revoked", "reused", "superseded"] });
    let kinds: Vec<String> =
        problem::KINDS.iter().map(|kind| format!("urn:daypass:problem:{}", kind.name)).collect();
    collected([
        (
            "Error",
            object(&[
                ("error", text()),
                ("error_description", text()),
                ("reason?", reasons),
                ("generation?", number()),
            ]),
        ),
        (
            "Problem",
            object(&[
                ("type", json!({ "type": "string", "enum": kinds })),
                ("title", text()),
                ("status", number()),
                ("detail", text()),
            ]),
        ),
    ])
}

//! The table of routes: what there is, who may call it, and which operation answers. The router and
//! the OpenAPI document are both made from it.

use axum::response::IntoResponse as _;
use http::Method;

use super::{
    Answering, ErrorForm, Operation, Place, Resource, Takes, Who, feed, health, introspect, login, logout,
    me, refresh, revoke, sessions, stream, token, well_known,
};
use crate::call::Call;
use crate::cors::Cors;

/// The function that answers, boxed so that all of them fit into one table.
macro_rules! by {
    ($operation:path) => {
        |call| Box::pin(async move { $operation(call).await.into_response() })
    };
}

const ATTEMPT: (&str, &str) = (
    "Daypass-Attempt",
    "generation:id pairs, newest first, at most four: the client's own ids of its rotations",
);
const CSRF: (&str, &str) =
    ("Daypass-CSRF", "has to be 1 where the refresh token comes or goes in its cookie");

pub(crate) const METRICS: &str = "/metrics";

/// Everything that the service answers.
pub(crate) static RESOURCES: &[&Resource] = &[
    &LOGIN,
    &REFRESH,
    &LOGOUT,
    &SESSIONS,
    &SESSION,
    &ME,
    &PASSWORD,
    &TOKEN,
    &REVOKE,
    &INTROSPECT,
    &REVOCATIONS,
    &REVOCATION_STREAM,
    &JWKS,
    &AUTHORIZATION_SERVER,
    &OPENID_CONFIGURATION,
    &HEALTHZ,
    &READYZ,
    &METRICS_HERE,
    &OPENAPI,
];

/// What the operator's own listener answers.
pub(crate) static OPERATIONS: &[&Resource] = &[&HEALTHZ, &READYZ, &METRICS_OPEN];

static LOGIN: Resource = Resource {
    path: "/v1/login",
    place: Place::BelowIssuer,
    cors: Cors::WithCredentials,
    errors: ErrorForm::Problem,
    operations: &[Operation {
        method: Method::POST,
        id: "login",
        summary: "Sign in with a password",
        who: Who::Anybody,
        headers: &[CSRF],
        takes: Takes::Json("Login"),
        answers: &[(200, "Pair"), (400, "Problem"), (401, "Problem"), (403, "Problem"), (429, "Problem")],
        answer: by!(login::login),
    }],
};

static REFRESH: Resource = Resource {
    path: "/v1/refresh",
    place: Place::BelowIssuer,
    cors: Cors::WithCredentials,
    errors: ErrorForm::OAuth,
    operations: &[Operation {
        method: Method::POST,
        id: "refresh",
        summary: "Renew: exchange the refresh token for its successor and a new access token",
        who: Who::RefreshToken,
        headers: &[ATTEMPT, CSRF],
        takes: Takes::Json("Refresh"),
        answers: &[(200, "Pair"), (400, "Error"), (403, "Error"), (409, "Error")],
        answer: by!(refresh::refresh),
    }],
};

static LOGOUT: Resource = Resource {
    path: "/v1/logout",
    place: Place::BelowIssuer,
    cors: Cors::WithCredentials,
    errors: ErrorForm::Problem,
    operations: &[Operation {
        method: Method::POST,
        id: "logout",
        summary: "End the session; also good if it is over already",
        who: Who::EitherToken,
        headers: &[CSRF],
        takes: Takes::Json("Logout"),
        answers: &[(204, ""), (400, "Problem"), (401, "Problem"), (403, "Problem")],
        answer: by!(logout::logout),
    }],
};

static SESSIONS: Resource = Resource {
    path: "/v1/sessions",
    place: Place::BelowIssuer,
    cors: Cors::WithCredentials,
    errors: ErrorForm::Problem,
    operations: &[
        Operation {
            method: Method::GET,
            id: "listSessions",
            summary: "The caller's live sessions, newest first",
            who: Who::Bearer,
            headers: &[],
            takes: Takes::Nothing,
            answers: &[(200, "Sessions"), (401, "Problem")],
            answer: by!(sessions::list),
        },
        Operation {
            method: Method::DELETE,
            id: "endSessions",
            summary: "End all of the caller's sessions, or all but the one that calls",
            who: Who::Bearer,
            headers: &[],
            takes: Takes::Query(&[("except", "string", "\"current\" keeps the session that calls")]),
            answers: &[(204, ""), (400, "Problem"), (401, "Problem")],
            answer: by!(sessions::end_all),
        },
    ],
};

static SESSION: Resource = Resource {
    path: "/v1/sessions/{id}",
    place: Place::BelowIssuer,
    cors: Cors::WithCredentials,
    errors: ErrorForm::Problem,
    operations: &[Operation {
        method: Method::DELETE,
        id: "endSession",
        summary: "End one of the caller's sessions",
        who: Who::Bearer,
        headers: &[],
        takes: Takes::Path("id"),
        answers: &[(204, ""), (401, "Problem"), (404, "Problem")],
        answer: by!(sessions::end_one),
    }],
};

static ME: Resource = Resource {
    path: "/v1/me",
    place: Place::BelowIssuer,
    cors: Cors::WithCredentials,
    errors: ErrorForm::Problem,
    operations: &[Operation {
        method: Method::GET,
        id: "me",
        summary: "Who is calling",
        who: Who::Bearer,
        headers: &[],
        takes: Takes::Nothing,
        answers: &[(200, "Me"), (401, "Problem")],
        answer: by!(me::me),
    }],
};

static PASSWORD: Resource = Resource {
    path: "/v1/me/password",
    place: Place::BelowIssuer,
    cors: Cors::WithCredentials,
    errors: ErrorForm::Problem,
    operations: &[Operation {
        method: Method::POST,
        id: "changePassword",
        summary: "Change the caller's password and end their other sessions",
        who: Who::Bearer,
        headers: &[],
        takes: Takes::Json("PasswordChange"),
        answers: &[
            (204, ""),
            (400, "Problem"),
            (401, "Problem"),
            (403, "Problem"),
            (409, "Problem"),
            (429, "Problem"),
        ],
        answer: by!(me::change_password),
    }],
};

static TOKEN: Resource = Resource {
    path: "/oauth2/token",
    place: Place::BelowIssuer,
    cors: Cors::Plain,
    errors: ErrorForm::OAuth,
    operations: &[Operation {
        method: Method::POST,
        id: "token",
        summary: "The token endpoint (RFC 6749): grants refresh_token and client_credentials",
        who: Who::Client,
        headers: &[ATTEMPT],
        takes: Takes::Form("TokenRequest"),
        answers: &[(200, "Pair"), (400, "Error"), (401, "Error"), (409, "Error"), (429, "Error")],
        answer: by!(token::token),
    }],
};

static REVOKE: Resource = Resource {
    path: "/oauth2/revoke",
    place: Place::BelowIssuer,
    cors: Cors::Plain,
    errors: ErrorForm::OAuth,
    operations: &[Operation {
        method: Method::POST,
        id: "revoke",
        summary: "End the session of a token (RFC 7009)",
        who: Who::Client,
        headers: &[],
        takes: Takes::Form("TokenInQuestion"),
        answers: &[(200, ""), (400, "Error"), (401, "Error"), (429, "Error")],
        answer: by!(revoke::revoke),
    }],
};

static INTROSPECT: Resource = Resource {
    path: "/oauth2/introspect",
    place: Place::BelowIssuer,
    cors: Cors::Never,
    errors: ErrorForm::OAuth,
    operations: &[Operation {
        method: Method::POST,
        id: "introspect",
        summary: "What a token is worth (RFC 7662), for clients with the scope daypass:introspect",
        who: Who::Client,
        headers: &[],
        takes: Takes::Form("TokenInQuestion"),
        answers: &[(200, "Introspection"), (400, "Error"), (401, "Error"), (403, "Error"), (429, "Error")],
        answer: by!(introspect::introspect),
    }],
};

static REVOCATIONS: Resource = Resource {
    path: "/v1/revocations",
    place: Place::BelowIssuer,
    cors: Cors::WithCredentials,
    errors: ErrorForm::Problem,
    operations: &[Operation {
        method: Method::GET,
        id: "revocations",
        summary: "The revocation feed, for clients with the scope daypass:feed",
        who: Who::Bearer,
        headers: &[],
        takes: Takes::Query(&[
            ("since", "string", "the cursor of the last answer; without it, everything from the start"),
            ("limit", "integer", "the most entries wanted, from 1; at most 1000 come"),
        ]),
        answers: &[(200, "Feed"), (400, "Problem"), (401, "Problem"), (403, "Problem")],
        answer: by!(feed::revocations),
    }],
};

static REVOCATION_STREAM: Resource = Resource {
    path: "/v1/revocations/stream",
    place: Place::BelowIssuer,
    cors: Cors::WithCredentials,
    errors: ErrorForm::Problem,
    operations: &[Operation {
        method: Method::GET,
        id: "revocationStream",
        summary: "The same as server-sent events: reset, entry, ready; a comment every 5 s while the feed can be read",
        who: Who::Bearer,
        headers: &[("Last-Event-ID", "the cursor that was heard last; it comes before since")],
        takes: Takes::Query(&[(
            "since",
            "string",
            "the cursor of an earlier answer; without it, everything from the start",
        )]),
        answers: &[(200, "events"), (400, "Problem"), (401, "Problem"), (403, "Problem")],
        answer: by!(stream::stream),
    }],
};

static JWKS: Resource = Resource {
    path: "/.well-known/jwks.json",
    place: Place::BelowIssuer,
    cors: Cors::Plain,
    errors: ErrorForm::Problem,
    operations: &[Operation {
        method: Method::GET,
        id: "jwks",
        summary: "The public keys (RFC 7517)",
        who: Who::Anybody,
        headers: &[],
        takes: Takes::Nothing,
        answers: &[(200, "KeySet"), (304, "")],
        answer: by!(well_known::jwks),
    }],
};

static AUTHORIZATION_SERVER: Resource = Resource {
    path: "/.well-known/oauth-authorization-server",
    place: Place::BeforePath,
    cors: Cors::Plain,
    errors: ErrorForm::Problem,
    operations: &[Operation {
        method: Method::GET,
        id: "authorizationServerMetadata",
        summary: "What this service can do (RFC 8414)",
        who: Who::Anybody,
        headers: &[],
        takes: Takes::Nothing,
        answers: &[(200, "Metadata"), (304, "")],
        answer: by!(well_known::authorization_server),
    }],
};

static OPENID_CONFIGURATION: Resource = Resource {
    path: "/.well-known/openid-configuration",
    place: Place::BelowIssuer,
    cors: Cors::Plain,
    errors: ErrorForm::Problem,
    operations: &[Operation {
        method: Method::GET,
        id: "openidConfiguration",
        summary: "What this service can do (OpenID Connect Discovery)",
        who: Who::Anybody,
        headers: &[],
        takes: Takes::Nothing,
        answers: &[(200, "Metadata"), (304, "")],
        answer: by!(well_known::openid_configuration),
    }],
};

static HEALTHZ: Resource = Resource {
    path: "/healthz",
    place: Place::BelowIssuer,
    cors: Cors::Never,
    errors: ErrorForm::Problem,
    operations: &[Operation {
        method: Method::GET,
        id: "health",
        summary: "Whether the process runs",
        who: Who::Anybody,
        headers: &[],
        takes: Takes::Nothing,
        answers: &[(200, "Health")],
        answer: by!(health::healthz),
    }],
};

static READYZ: Resource = Resource {
    path: "/readyz",
    place: Place::BelowIssuer,
    cors: Cors::Never,
    errors: ErrorForm::Problem,
    operations: &[Operation {
        method: Method::GET,
        id: "readiness",
        summary: "Whether the service can do its work",
        who: Who::Anybody,
        headers: &[],
        takes: Takes::Nothing,
        answers: &[(200, "Readiness"), (503, "Readiness")],
        answer: by!(health::readyz),
    }],
};

static METRICS_HERE: Resource =
    Resource { operations: &[metrics(by!(health::metrics_here))], ..METRICS_OPEN };

static METRICS_OPEN: Resource = Resource {
    path: METRICS,
    place: Place::BelowIssuer,
    cors: Cors::Never,
    errors: ErrorForm::Problem,
    operations: &[metrics(by!(health::metrics))],
};

const fn metrics(answer: fn(Call) -> Answering) -> Operation {
    Operation {
        method: Method::GET,
        id: "metrics",
        summary: "Metrics in the Prometheus text format, to callers on the same machine",
        who: Who::Anybody,
        headers: &[],
        takes: Takes::Nothing,
        answers: &[(200, "text"), (403, "Problem")],
        answer,
    }
}

static OPENAPI: Resource = Resource {
    path: "/openapi.json",
    place: Place::BelowIssuer,
    cors: Cors::Never,
    errors: ErrorForm::Problem,
    operations: &[Operation {
        method: Method::GET,
        id: "openapi",
        summary: "This document",
        who: Who::Anybody,
        headers: &[],
        takes: Takes::Nothing,
        answers: &[(200, "OpenApi")],
        answer: by!(health::openapi),
    }],
};

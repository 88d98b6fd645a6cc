//! What there is: resources, their operations, who may call them, and the function that answers.

mod table;

mod login;
mod refresh;

mod logout;
mod me;
mod sessions;

mod feed;
mod stream;
mod well_known;

mod introspect;
mod revoke;
mod token;

mod health;

use std::future::Future;
use std::pin::Pin;

use axum::response::Response;
use http::{HeaderValue, Method};

use crate::call::Call;
use crate::cors::Cors;

pub(crate) use table::{METRICS, OPERATIONS, RESOURCES};

/// A path and what can be done there.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) path: &'static str,
    pub(crate) place: Place,
    pub(crate) cors: Cors,
    pub(crate) errors: ErrorForm,
    pub(crate) operations: &'static [Operation],
}

/// Where a resource stands when the issuer has a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Below it.
    BelowIssuer,
    /// Before it.
    BeforePath,
}

/// How a resource tells of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorForm {
    /// RFC 9457.
    Problem,
    /// RFC 6749 section 5.2.
    OAuth,
}

pub(crate) type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// One method of a resource.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    /// Its name in the OpenAPI document.
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) who: Who,
    /// Header fields that it reads, each with its meaning.
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) takes: Takes,
    /// The statuses that it answers with, each with the schema of the answer if it has content.
    pub(crate) answers: &'static [(u16, &'static str)],
    pub(crate) answer: fn(Call) -> Answering,
}

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Anybody.
    Anybody,
    /// Whoever holds an access token of a live session.
    Bearer,
    /// Whoever holds a refresh token, perhaps in its cookie.
    RefreshToken,
    /// Any of the two.
    EitherToken,
    /// A registered client.
    Client,
}

/// What an operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing.
    Nothing,
    /// A JSON body of this schema.
    Json(&'static str),
    /// A form of this schema.
    Form(&'static str),
    /// Parameters in the query: name, schema type, meaning.
    Query(&'static [(&'static str, &'static str, &'static str)]),
    /// A parameter in the path.
    Path(&'static str),
}

impl Resource {
    /// The value of `Allow`.
    pub(crate) fn allow(&self) -> HeaderValue {
        let mut methods: Vec<&str> = Vec::new();
        for operation in self.operations {
            methods.push(operation.method.as_str());
            if operation.method == Method::GET {
                methods.push("HEAD");
            }
        }
        HeaderValue::try_from(methods.join(", ")).unwrap_or(HeaderValue::from_static(""))
    }
}

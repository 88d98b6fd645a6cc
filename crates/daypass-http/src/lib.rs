//! Daypass over HTTP: routes, strict readers of what comes in, and the rendering of what goes out.
//!
//! [`router`] gives an [`axum::Router`] over a [`Service`](daypass_service::Service). It holds no
//! process-global state, so that it merges into anybody's application. [`serve`] runs a router on a
//! listener with the time-outs and limits that a token service on the open network needs;
//! whoever brings a server of their own has to put the peer's address into the request as
//! [`axum::extract::ConnectInfo`]`<SocketAddr>`.
//!
//! The way of a request: `router` finds its resource in the table of `routes`, answers what is the
//! same everywhere (CORS, 405), and calls the operation; that reads with `form`, `json`, `bearer`,
//! `cookies` and `client_auth`, asks the service once, and renders with `pair`, `problem` or
//! `oauth_error`.

mod options;
mod router;
mod routes;
mod serve;

mod call;
mod cors;
mod csrf;

mod address;
mod attempt;
mod bearer;
mod body;
mod client_auth;
mod cookies;
mod form;
mod json;
mod query;

mod answer;
mod fault;
mod oauth_error;
mod openapi;
mod pair;
mod problem;

pub use options::{CookieNames, HttpOptions, InvalidCookieName, MetricsAt, TrustedProxies};
pub use router::{operations_router, router};
pub use serve::{ServeOptions, serve};

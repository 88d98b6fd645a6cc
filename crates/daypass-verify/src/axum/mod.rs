//! Extractors for axum handlers. They take the token that the [layer](crate::Verifier::layer) left:
//!
//! ```
//! use axum::{Router, routing::get};
//! use daypass_verify::Verifier;
//! use daypass_verify::axum::Auth;
//!
//! async fn hello(auth: Auth) -> String {
//!     format!("Hello, {}.", auth.subject())
//! }
//!
//! fn router(verifier: &Verifier) -> Router {
//!     Router::new().route("/", get(hello)).layer(verifier.layer())
//! }
//! ```
//!
//! A route that is behind no layer answers 500, and the log says why: it is never open by accident.

mod auth;
mod claims;
mod rejection;
mod scope;

pub use auth::Auth;
pub use claims::{FromToken, NoClaims};
pub use rejection::AuthRejection;
pub use scope::{RequireScope, ScopeName};

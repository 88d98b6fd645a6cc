//! A verifier in front of a tower service: requests pass with a good token, the others are answered.
//!
//! ```
//! use daypass_verify::jwt::{Algorithm, KeySet, SigningKey};
//! use daypass_verify::{StaticKeys, VerifiedToken, Verifier};
//! use http_body_util::Empty;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let key = SigningKey::generate(Algorithm::ES256)?;
//! # let keys = StaticKeys::from(KeySet::new([key.verifying_key()])?);
//! let verifier =
//!     Verifier::builder().issuer("https://id.example").audience("https://api.example").keys(keys).build()?;
//! let service = verifier.layer().require_scope("orders").layer(service_fn(
//!     |request: http::Request<Empty<bytes::Bytes>>| async move {
//!         let token = request.extensions().get::<VerifiedToken>().expect("the layer has put it here");
//!         println!("{} is calling", token.subject());
//!         Ok::<_, std::convert::Infallible>(http::Response::new(Empty::<bytes::Bytes>::new()))
//!     },
//! ));
//! let answer = service.oneshot(http::Request::new(Empty::new())).await?;
//! assert_eq!(answer.status(), 401);
//! # Ok(())
//! # }
//! ```

mod layer;
mod service;

mod future;
mod gate;

mod answer;
mod bearer;
mod body;

pub use answer::{DEFAULT_REALM, answer};
pub use bearer::bearer_token;
pub use body::AnswerBody;
pub use future::ResponseFuture;
pub use layer::AuthLayer;
pub use service::AuthService;

#[cfg(feature = "axum")]
pub(crate) use answer::no_layer;
#[cfg(feature = "axum")]
pub(crate) use gate::Passed;

//! Tokens, which never print.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// An access token. A clone shares the text; `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct AccessToken(Arc<Zeroizing<String>>);

/// A refresh token: good for one rotation. `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct RefreshToken(Arc<Zeroizing<String>>);

macro_rules! secret {
    ($name:ident) => {
        impl $name {
            /// The text, for the request that needs it.
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(Arc::new(Zeroizing::new(text)))
            }
        }

        impl From<$name> for String {
            fn from(secret: $name) -> Self {
                secret.expose().to_owned()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

secret!(AccessToken);
secret!(RefreshToken);

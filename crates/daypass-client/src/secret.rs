//! Tokens, which never print.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use zeroize::Zeroizing;

/// An access token. A clone shares the text; `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct AccessToken(Arc<Zeroizing<String>>);

/// A refresh token: good for one rotation. `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
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

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.expose())
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

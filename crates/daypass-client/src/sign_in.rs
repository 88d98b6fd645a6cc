//! Signing in.

use std::fmt;

use zeroize::Zeroizing;

/// What somebody signs in with. `Debug` shows no password.
#[derive(Clone)]
pub struct Credentials {
    pub(crate) username: String,
    pub(crate) password: Zeroizing<String>,
    pub(crate) label: Option<String>,
    pub(crate) scope: Option<String>,
}

impl Credentials {
    /// A user name and a password.
    pub fn password(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            password: Zeroizing::new(password.into()),
            label: None,
            scope: None,
        }
    }

    /// How the session is called in the person's list of sessions; at most 128 characters.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// What the access tokens may be used for, as words divided by spaces. Everything that the person may do if it
    /// is not set.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

//! People: adding them, and their passwords.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daypass_core::{Claims, Clock, Scope, Subject, SubjectId};
use daypass_storage::{AddUser, PasswordChange, PasswordHash, Source, Store, StoreError, User, Username};

use crate::access::LiveCaller;
use crate::entropy::{self, Entropy};
use crate::error::ServiceError;
use crate::passwords::{self, PasswordError, WeakPassword};
use crate::secret::Secret;
use crate::sign_in::{SignInError, TRIES};
use crate::start::Service;

/// The scope of an administrator.
pub const ADMIN_SCOPE: &str = "daypass:admin";

/// A person to add.
#[derive(Clone, Debug)]
pub struct AddPerson {
    /// The name to sign in with.
    pub name: Username,
    /// The password.
    pub password: Secret,
    /// The claims.
    pub claims: Claims,
    /// The scopes that the person may be granted.
    pub scope: Scope,
}

/// Why a person was not added, or a password not set.
#[derive(Debug, thiserror::Error)]
pub enum AddPersonError {
    /// Somebody has that name.
    #[error("there is a user of that name already")]
    NameTaken,
    /// The password must not be used.
    #[error(transparent)]
    Weak(#[from] WeakPassword),
    /// It could not be hashed.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The store cannot answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AddPerson {
    /// Adds the person; for the command line, which has no pool. Hashing takes tens of
    /// milliseconds on the calling thread.
    pub async fn add(
        self,
        store: &Arc<dyn Store>,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
        source: Source,
    ) -> Result<SubjectId, AddPersonError> {
        let hash = checked_hash(&self.password, entropy)?;
        loop {
            let sub = new_subject(entropy);
            let subject = Subject {
                claims: self.claims.clone(),
                scope: self.scope.clone(),
                ..Subject::new(sub.clone())
            };
            let user = User {
                name: self.name.clone(),
                subject,
                password: Some(hash.clone()),
                created_at: clock.now(),
            };
            match store.add_user(user, source.clone()).await? {
                AddUser::Added => return Ok(sub),
                AddUser::NameTaken => return Err(AddPersonError::NameTaken),
                AddUser::SubjectTaken => {}
            }
        }
    }
}

/// Checks and hashes a password that somebody chose.
pub fn checked_hash(password: &Secret, entropy: &dyn Entropy) -> Result<PasswordHash, AddPersonError> {
    passwords::check(password)?;
    Ok(passwords::hash(password, entropy)?)
}

/// A `sub` that nobody else has: `usr_` and 128 random bits. It is never given to another person.
fn new_subject(entropy: &dyn Entropy) -> SubjectId {
    let random: [u8; 16] = entropy::bytes(entropy);
    let text = format!("usr_{}", URL_SAFE_NO_PAD.encode(random));
    SubjectId::new(&text).unwrap_or_else(|_| unreachable!("base64url is printable ASCII"))
}

/// Why a password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// The person has no password here.
    #[error("there is no password to change")]
    None,
    /// The current password is wrong.
    #[error("the current password is wrong")]
    Wrong,
    /// Too many wrong passwords, or the service cannot answer.
    #[error(transparent)]
    SignIn(SignInError),
    /// The new password must not be used.
    #[error(transparent)]
    Weak(#[from] WeakPassword),
}

impl From<SignInError> for ChangePasswordError {
    fn from(error: SignInError) -> Self {
        Self::SignIn(error)
    }
}

impl From<ServiceError> for ChangePasswordError {
    fn from(error: ServiceError) -> Self {
        Self::SignIn(error.into())
    }
}

impl From<StoreError> for ChangePasswordError {
    fn from(error: StoreError) -> Self {
        Self::SignIn(error.into())
    }
}

impl Service {
    /// Changes the caller's password and ends their other sessions.
    pub async fn change_password(
        &self,
        caller: &LiveCaller,
        current: Secret,
        new: Secret,
        source: Source,
    ) -> Result<(), ChangePasswordError> {
        // Anew, if the hash was replaced meanwhile: by another password, or by a stronger one of this.
        for _ in 0..TRIES {
            let user = self.inner.store.user_of(caller.sub()).await?.ok_or(ChangePasswordError::None)?;
            let from = user.password.clone().ok_or(ChangePasswordError::None)?;
            let (right, turn) = self.inner.confirm_password(&user, current.clone()).await?;
            if !right {
                return Err(ChangePasswordError::Wrong);
            }
            passwords::check(&new)?;
            let hash = turn.hash(new.clone(), self.inner.entropy.clone()).await?;
            let change = PasswordChange::New { hash, from: Some(from), keep: Some(caller.session.id) };
            if self.inner.store.set_password(caller.sub().clone(), change, source.clone()).await? {
                return Ok(());
            }
        }
        Err(ChangePasswordError::Wrong)
    }
}

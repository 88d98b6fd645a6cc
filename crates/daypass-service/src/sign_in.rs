//! Signing in with a password.

use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::digest;
use daypass_core::{Event, EventKind, NewSession, Origin, Scope};
use daypass_storage::{
    Opened, PasswordChange, PasswordHash, PasswordUse, Source, StoreError, User, Username,
};

use crate::clients::{ClientError, RegisteredClient};
use crate::entropy;
use crate::error::ServiceError;
use crate::metrics::SignInOutcome;
use crate::pair::Pair;
use crate::passwords::{self, Turn};
use crate::secret::Secret;
use crate::start::{Inner, Service, Snapshot};

/// How a password is called in `amr` (RFC 8176 section 2).
const AMR_PASSWORD: &str = "pwd";

/// How often a password is checked, each time because its hash was replaced meanwhile.
pub(crate) const TRIES: usize = 3;

/// A request to sign in.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The name, as it came.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// The client; the built-in one if none is named.
    pub client: Option<String>,
    /// What is asked for; all that may be granted, if nothing is.
    pub scope: Option<Scope>,
    /// Where the request came from, for the person to recognise the session by.
    pub origin: Origin,
    /// The network address, for limits.
    pub address: Option<IpAddr>,
}

/// Why a sign-in was refused.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Wrong name or wrong password, or the account is disabled: which of these is not told.
    #[error("the user name or the password is wrong")]
    Credentials,
    /// Too many wrong passwords, for this account or from this address.
    #[error("too many failed attempts")]
    Limited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The client is unknown, or may not take passwords.
    #[error("the client is unknown or may not sign people in")]
    Client,
    /// More was asked for than may be granted.
    #[error("the scope exceeds what may be granted")]
    Scope,
    /// The service cannot answer.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<StoreError> for SignInError {
    fn from(error: StoreError) -> Self {
        Self::Service(error.into())
    }
}

impl From<ClientError> for SignInError {
    fn from(_: ClientError) -> Self {
        Self::Client
    }
}

impl Service {
    /// Signs a person in: checks limits and password, and opens a session.
    pub async fn sign_in(&self, request: SignIn) -> Result<Pair, SignInError> {
        let answer = self.inner.sign_in(request).await;
        self.inner.metrics.signed_in(match &answer {
            Ok(_) => SignInOutcome::signed_in,
            Err(SignInError::Credentials | SignInError::Client | SignInError::Scope) => {
                SignInOutcome::refused
            }
            Err(SignInError::Limited { .. }) => SignInOutcome::limited,
            Err(SignInError::Service(error)) => {
                tracing::warn!(%error, "a sign-in could not be answered");
                SignInOutcome::unavailable
            }
        });
        answer
    }
}

impl Inner {
    async fn sign_in(&self, request: SignIn) -> Result<Pair, SignInError> {
        let snapshot = self.snapshot.load_full();
        let client = Self::first_party(&snapshot, request.client.as_deref())?;
        for _ in 0..TRIES {
            if let Some(pair) = self.try_sign_in(&snapshot, &client, request.clone()).await? {
                return Ok(pair);
            }
        }
        Err(SignInError::Credentials)
    }

    /// Signs in, unless the password's hash was replaced while it was checked: by another password,
    /// or by a stronger hash of this one.
    async fn try_sign_in(
        &self,
        snapshot: &Snapshot,
        client: &RegisteredClient,
        request: SignIn,
    ) -> Result<Option<Pair>, SignInError> {
        let SignIn { username, password, scope, origin, address, .. } = request;
        let user = self.check_password(&username, password, client, address, &origin).await?;
        let allowed = daypass_core::scope::allowed(&client.client.scopes, &user.subject.scope);
        let granted = match scope {
            None => allowed,
            Some(asked) if asked.is_subset_of(&allowed) => asked,
            Some(_) => return Err(SignInError::Scope),
        };
        self.open_session(snapshot, client, user, granted, origin).await
    }

    /// Opens a session for somebody who has been authenticated; none if the password was replaced
    /// meanwhile.
    async fn open_session(
        &self,
        snapshot: &Snapshot,
        client: &RegisteredClient,
        user: User,
        scope: Scope,
        origin: Origin,
    ) -> Result<Option<Pair>, SignInError> {
        let missing = || ServiceError::Key("none that tags".to_owned());
        let new = NewSession {
            random: entropy::bytes(&*self.entropy),
            subject: user.subject.id,
            client: client.id().clone(),
            scope,
            amr: AMR_PASSWORD.to_owned(),
            auth_time: None,
            life: client.policy.session,
            jkt: None,
            token_key: snapshot.keys.tagger(self.clock.now()).ok_or_else(missing)?,
        };
        match self.store.open_session(new, origin, user.password).await? {
            Opened::Session(session, subject) => {
                let now = session.rotation.rotated_at;
                Ok(Some(self.pair(snapshot, (&session, &subject), None, None, now)?))
            }
            Opened::PasswordChanged => Ok(None),
            Opened::Disabled | Opened::SubjectIsClient => Err(SignInError::Credentials),
        }
    }

    /// The person with this name and password. Takes as long and answers the same whether the name
    /// or the password is wrong.
    async fn check_password(
        &self,
        username: &str,
        password: Secret,
        client: &RegisteredClient,
        address: Option<IpAddr>,
        origin: &Origin,
    ) -> Result<User, SignInError> {
        let account = account(username);
        self.admit(account, address).await?;
        let turn = self.passwords.turn().await?;
        // Once more: whoever waited for a turn may have been guessing beside others.
        self.admit(account, address).await?;
        let user = match username.parse::<Username>() {
            Ok(name) => self.store.user(&name).await?,
            Err(_) => None,
        };
        let kept = user.as_ref().and_then(|user| user.password.clone());
        let against = kept.clone().unwrap_or_else(|| self.passwords.decoy().clone());
        let fits = password.expose().len() <= passwords::LONGEST;
        let right = turn.verify(password.clone(), against).await? && kept.is_some() && fits;
        let user = user.filter(|user| right && !user.subject.disabled);
        let Some(user) = user else {
            self.note_failure(account, address, client, origin).await?;
            return Err(SignInError::Credentials);
        };
        let password = self.note_success(account, &turn, &user, password).await?;
        Ok(User { password, ..user })
    }

    async fn admit(&self, account: [u8; 32], address: Option<IpAddr>) -> Result<(), SignInError> {
        let now = self.clock.now();
        let limited = |retry_after| SignInError::Limited { retry_after };
        if let Some(address) = address {
            self.addresses.admit(address, now).map_err(limited)?;
        }
        let guesses = self.store.guesses(account).await?;
        guesses.admit(self.config.limits.account_failures, now).map_err(limited)
    }

    async fn note_failure(
        &self,
        account: [u8; 32],
        address: Option<IpAddr>,
        client: &RegisteredClient,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        if let Some(address) = address {
            self.addresses.failed(address, self.clock.now());
        }
        self.store.record_password_use(account, PasswordUse::Wrong).await?;
        // The name is not written down: people type their password there.
        let event = Event::new(self.clock.now(), EventKind::SignInRefused);
        self.store.record(event.through(client.id()).from(origin.address.as_deref())).await
    }

    /// Forgets failures, and brings the hash up to date; the hash that is then in place.
    async fn note_success(
        &self,
        account: [u8; 32],
        turn: &Turn,
        user: &User,
        password: Secret,
    ) -> Result<Option<PasswordHash>, ServiceError> {
        if self.store.guesses(account).await?.failures > 0 {
            self.store.record_password_use(account, PasswordUse::Right).await?;
        }
        if let Some(from) = user.password.clone().filter(passwords::is_outdated) {
            let to = turn.hash(password, self.entropy.clone()).await?;
            let change = PasswordChange::Rehash { from, to: to.clone() };
            if self.store.set_password(user.subject.id.clone(), change, Source::default()).await? {
                return Ok(Some(to));
            }
        }
        Ok(user.password.clone())
    }

    /// Whether `password` is the subject's, under the same limits as at a sign-in.
    pub(crate) async fn confirm_password(
        &self,
        user: &User,
        password: Secret,
    ) -> Result<(bool, Turn), SignInError> {
        let account = account(user.name.as_str());
        self.admit(account, None).await?;
        let turn = self.passwords.turn().await?;
        self.admit(account, None).await?;
        let against = user.password.clone().unwrap_or_else(|| self.passwords.decoy().clone());
        let right = turn.verify(password, against).await? && user.password.is_some();
        if !right {
            self.store.record_password_use(account, PasswordUse::Wrong).await?;
        }
        Ok((right, turn))
    }
}

/// What failures are counted under, for names that somebody has and names that nobody has alike.
fn account(username: &str) -> [u8; 32] {
    let hash = digest::digest(&digest::SHA256, format!("daypass account\0{username}").as_bytes());
    let mut account = [0; 32];
    account.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
    account
}

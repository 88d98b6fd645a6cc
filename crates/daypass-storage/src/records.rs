//! The values that go into and come out of a store.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use daypass_core::{
    Claims, ClientId, Clients, Decision, FeedEntry, Origin, Presented, Scope, Session, SessionId, Subject,
    Timestamp,
};

/// A request to rotate.
#[derive(Clone, Debug)]
pub struct RotateRequest {
    /// The session that the token names.
    pub session: SessionId,
    /// What the decision looks at.
    pub presented: Presented,
    /// The clients and their policies.
    pub clients: Arc<Clients>,
    /// Where the request came from, for events.
    pub address: Option<Arc<str>>,
}

/// What became of a rotation.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The decision, already applied and durable.
    pub decision: Decision,
    /// The time at which it was made.
    pub now: Timestamp,
    /// The session as it is after the decision, and its subject; none if the store has no such
    /// session.
    pub row: Option<(Session, Subject)>,
}

/// What became of a sign-in.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one per sign-in, taken apart at once")]
pub enum Opened {
    /// The session is open.
    Session(Session, Subject),
    /// The subject is disabled.
    Disabled,
    /// The name belongs to a client: a person can never be mistaken for one.
    SubjectIsClient,
    /// The password hash that the sign-in was checked against is not the one in place any more.
    PasswordChanged,
}

/// A session as its owner sees it.
#[derive(Clone, Debug)]
pub struct SessionEntry {
    /// The session.
    pub session: Session,
    /// Where it was opened.
    pub origin: Origin,
}

/// Whether there was something to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOutcome {
    /// The session is over now.
    Ended,
    /// It was over already.
    AlreadyEnded,
    /// There is none, or it is somebody else's.
    NotFound,
}

/// Who causes a change, for the audit.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Through which client.
    pub client: Option<ClientId>,
    /// From which network address; none from the command line.
    pub address: Option<String>,
    /// More, in words that hold no secret.
    pub detail: Option<String>,
}

impl Source {
    /// The command line.
    pub fn command_line() -> Self {
        Self { detail: Some("command line".to_owned()), ..Self::default() }
    }
}

/// A person's name for signing in: 1 to 128 characters without control characters, or spaces at
/// the ends. Compared exactly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Username(String);

/// A name that nobody can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a user name has 1 to 128 characters, none of them a control character, and no space at its ends")]
pub struct InvalidUsername;

impl Username {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Username {
    type Err = InvalidUsername;

    fn from_str(text: &str) -> Result<Self, InvalidUsername> {
        let fits = (1..=128).contains(&text.chars().count());
        let clean = !text.chars().any(char::is_control) && text.trim() == text;
        if fits && clean { Ok(Self(text.to_owned())) } else { Err(InvalidUsername) }
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A password hash in PHC string form. A store accepts nothing else, least of all a password.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes a PHC string of an argon2 hash; `None` for anything else.
    pub fn new(phc: String) -> Option<Self> {
        phc.starts_with("$argon2").then_some(Self(phc))
    }

    /// The PHC string.
    pub fn as_phc(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// A person who signs in with a password.
#[derive(Clone, Debug)]
pub struct User {
    /// The name to sign in with.
    pub name: Username,
    /// The subject behind the name.
    pub subject: Subject,
    /// The password's hash, if there is a password.
    pub password: Option<PasswordHash>,
    /// When the person was added.
    pub created_at: Timestamp,
}

/// What became of adding a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddUser {
    /// Added.
    Added,
    /// Somebody has that name.
    NameTaken,
    /// Somebody, or a client, has that `sub`.
    SubjectTaken,
}

/// What is to change of a subject; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct SubjectChange {
    /// The claims, all of them.
    pub claims: Option<Claims>,
    /// Whether the subject is disabled.
    pub disabled: Option<bool>,
    /// The scopes that it holds.
    pub scope: Option<Scope>,
}

/// How a password hash is replaced.
#[derive(Clone, Debug)]
pub enum PasswordChange {
    /// Another password: the person's sessions end, but for the one that changed it.
    New {
        /// The new hash.
        hash: PasswordHash,
        /// The hash to replace, where somebody had to know the password behind it: of two changes at
        /// once, the second has to know the first one's.
        from: Option<PasswordHash>,
        /// The session that goes on.
        keep: Option<SessionId>,
    },
    /// The same password under stronger parameters. Ends nothing.
    Rehash {
        /// The hash to replace.
        from: PasswordHash,
        /// The new hash.
        to: PasswordHash,
    },
}

/// What a presented password was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordUse {
    /// It was right: earlier failures are forgotten.
    Right,
    /// It was wrong.
    Wrong,
}

/// What became of registering a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddClient {
    /// Registered.
    Added,
    /// There is one of that name.
    Taken,
    /// A person has that `sub`: a client can never be mistaken for one.
    IsSubject,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// Signs access tokens.
    AccessToken,
    /// Tags refresh tokens.
    RefreshToken,
}

impl KeyPurpose {
    /// The purpose as it is written in stores and bound into sealed keys.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::RefreshToken => "refresh_token",
        }
    }
}

/// A key as a store holds it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The `kid`, or the number of a refresh-token secret.
    pub id: String,
    /// What it is for.
    pub purpose: KeyPurpose,
    /// The algorithm, as JWS names it, or `HMAC-SHA-256`.
    pub algorithm: String,
    /// The private part, sealed.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is used.
    pub active_from: Timestamp,
    /// From when on another is used instead.
    pub retired_from: Option<Timestamp>,
}

impl KeyRecord {
    /// The key that was to give way to this one: of several, the last that was made before it.
    pub fn predecessor<'k>(&self, others: &'k [Self]) -> Option<&'k Self> {
        let gives_way =
            |other: &&Self| other.purpose == self.purpose && other.retired_from == Some(self.active_from);
        let made = |other: &&Self| (other.created_at <= self.created_at, other.created_at, other.active_from);
        others.iter().filter(gives_way).max_by_key(made)
    }
}

impl fmt::Debug for KeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRecord")
            .field("id", &self.id)
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

/// A key to add.
#[derive(Clone, Debug)]
pub struct AddKey {
    /// The key.
    pub key: KeyRecord,
    /// The version of the keys that the addition was worked out from.
    pub expected: u64,
    /// The number of the lease under which it is added, if it is: refused once another has been given.
    pub fence: Option<u64>,
    /// Who causes it.
    pub source: Source,
}

/// A key to forget.
#[derive(Clone, Debug)]
pub struct DropKey {
    /// Which.
    pub id: String,
    /// The version of the keys that the removal was worked out from.
    pub expected: u64,
    /// The number of the lease under which it is removed, if it is: refused once another has been given.
    pub fence: Option<u64>,
}

/// The right to look after the keys for a while, which one node has at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Higher than that of every lease before: whoever was stopped for longer than his lease lasted is
    /// known by his number when he goes on.
    pub fence: u64,
    /// The store's time when it was given or renewed.
    pub now: Timestamp,
}

/// The lease of the keys as a store keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptLease {
    /// Who was given it last; nobody if all of it is zero.
    pub holder: [u8; 16],
    /// Its number.
    pub fence: u64,
    /// Until when it runs.
    pub until: Timestamp,
}

impl KeptLease {
    /// What is kept once `holder` has been given it at `now` for so long; none while it is another's.
    #[must_use]
    pub fn given(&self, holder: [u8; 16], now: Timestamp, time: Duration) -> Option<Self> {
        // One that ends later than any could that is given now was given before the clock went back.
        let runs = self.until > now && self.until <= now.plus(time.saturating_mul(2));
        let fence = self.fence.saturating_add(u64::from(!runs));
        (!runs || self.holder == holder).then_some(Self { holder, fence, until: now.plus(time) })
    }
}

/// A place in the feed. Opaque to verifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedCursor {
    /// The store's epoch, which changes after a fail-over or restore.
    pub epoch: [u8; 16],
    /// The last entry read.
    pub sequence: u64,
}

/// A stretch of the feed.
#[derive(Clone, Debug)]
pub struct FeedPage {
    /// The entries, oldest first.
    pub entries: Vec<FeedEntry>,
    /// Where to read on.
    pub cursor: FeedCursor,
    /// Whether nothing followed when this was read.
    pub complete: bool,
    /// Whether this begins at the start, because the cursor was absent or unknown.
    pub reset: bool,
}

/// Counters that change with what they count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// Of the registered clients.
    pub clients: u64,
    /// Of the keys.
    pub keys: u64,
}

/// How many rows were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Sessions.
    pub sessions: usize,
    /// Feed entries.
    pub feed: usize,
    /// Audit events.
    pub events: usize,
}

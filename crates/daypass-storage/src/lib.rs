//! What Daypass asks of a store: the [`Store`] trait, its errors, and (feature `contract`) the suite
//! of tests that every store passes.
//!
//! A store keeps and applies; it decides nothing. Its central operation is [`Store::rotate`], whose
//! transaction wraps the pure [`daypass_core::decide`].

mod error;
mod records;

#[cfg(feature = "contract")]
pub mod contract;

use std::time::Duration;

use async_trait::async_trait;
use daypass_core::guess::Guesses;
use daypass_core::{
    Client, ClientId, EndingReason, Event, NewSession, Origin, Session, SessionId, Subject, SubjectId,
};

pub use error::StoreError;
pub use records::{
    AddClient, AddKey, AddUser, DropKey, EndOutcome, FeedCursor, FeedPage, KeptLease, KeyPurpose, KeyRecord,
    Lease, Opened, PasswordChange, PasswordHash, PasswordUse, Pruned, RotateRequest, Rotated, SessionEntry,
    Source, SubjectChange, User, Username, Versions,
};

/// What every method answers with.
pub type StoreResult<T> = Result<T, StoreError>;

/// A store of sessions, people, clients, keys and what happened to them.
///
/// Common to all methods that write: they return only after the change is durable, and an error
/// means that nothing of it happened, except [`StoreError::OutcomeUnknown`]. The time that they
/// record is the store's own, read inside the transaction.
///
/// The error to fear is a rotation that is acknowledged and then lost or doubled; a store that
/// cannot say for certain answers [`StoreError::OutcomeUnknown`] and the client repeats.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Loads the session that a refresh token names, with its subject; decides; writes what the
    /// decision says, with its events and feed entries; all in one transaction that no other change
    /// of this session or subject overlaps.
    async fn rotate(&self, request: RotateRequest) -> StoreResult<Rotated>;

    /// Opens a session for a subject, which is recorded if it is new. With `proven`, the hash that a
    /// password was checked against, only while that is the person's: a sign-in that is overtaken by
    /// a new password is not left over from the old one.
    async fn open_session(
        &self,
        new: NewSession,
        origin: Origin,
        proven: Option<PasswordHash>,
    ) -> StoreResult<Opened>;

    /// A session with its subject, as last committed.
    async fn session(&self, id: SessionId) -> StoreResult<Option<(Session, Subject)>>;

    /// The live sessions of a subject, newest first, at most `limit`.
    async fn sessions_of(&self, sub: &SubjectId, limit: usize) -> StoreResult<Vec<SessionEntry>>;

    /// Ends one session, of `owner` if one is given. Ending it again changes nothing.
    async fn end_session(
        &self,
        id: SessionId,
        owner: Option<SubjectId>,
        why: EndingReason,
        source: Source,
    ) -> StoreResult<EndOutcome>;

    /// Ends all sessions of a subject, or all but one.
    async fn end_sessions_of(
        &self,
        sub: SubjectId,
        except: Option<SessionId>,
        why: EndingReason,
        source: Source,
    ) -> StoreResult<()>;

    /// Adds a person.
    async fn add_user(&self, user: User, source: Source) -> StoreResult<AddUser>;

    /// The person with this name.
    async fn user(&self, name: &Username) -> StoreResult<Option<User>>;

    /// The person with this `sub`.
    async fn user_of(&self, sub: &SubjectId) -> StoreResult<Option<User>>;

    /// People in the order of their names, after `after`, at most `limit`.
    async fn users(&self, after: Option<Username>, limit: usize) -> StoreResult<Vec<User>>;

    /// Changes what is recorded of a subject; disabling it also ends its sessions. False: no such
    /// subject.
    async fn change_subject(
        &self,
        sub: SubjectId,
        change: SubjectChange,
        source: Source,
    ) -> StoreResult<bool>;

    /// Replaces a person's password hash. False: no such person, or the hash to replace is not the
    /// one in place.
    async fn set_password(&self, sub: SubjectId, change: PasswordChange, source: Source)
    -> StoreResult<bool>;

    /// The wrong passwords seen in a row for an account.
    async fn guesses(&self, account: [u8; 32]) -> StoreResult<Guesses>;

    /// Records what a password was worth.
    async fn record_password_use(&self, account: [u8; 32], outcome: PasswordUse) -> StoreResult<()>;

    /// All registered clients.
    async fn clients(&self) -> StoreResult<Vec<Client>>;

    /// Registers a client.
    async fn add_client(&self, client: Client, source: Source) -> StoreResult<AddClient>;

    /// Removes a client; its sessions are refused from then on. False: no such client.
    async fn remove_client(&self, id: ClientId, source: Source) -> StoreResult<bool>;

    /// All keys, sealed.
    async fn keys(&self) -> StoreResult<Vec<KeyRecord>>;

    /// Adds a key and retires others, if nobody has changed the keys since `request.expected` and
    /// no other lease has been given since `request.fence`.
    async fn add_key(&self, request: AddKey) -> StoreResult<bool>;

    /// Forgets a key, under the same conditions. The key that it was to
    /// follow is used for as long as this one would have been: without end, if this one was the last.
    /// False: the keys were changed, or there is no such key.
    async fn drop_key(&self, request: DropKey) -> StoreResult<bool>;

    /// Gives the lease of the keys to `holder` until `time` from now on, or renews it, unless another has
    /// one that has not run out. It runs by the store's own clock; one that has run out is given under
    /// a new number, whoever had it.
    async fn lease(&self, holder: [u8; 16], time: Duration) -> StoreResult<Option<Lease>>;

    /// Whether any session that started before `before` could still renew: it is neither ended by
    /// itself nor past its time.
    async fn has_sessions_before(&self, before: daypass_core::Timestamp) -> StoreResult<bool>;

    /// The feed after `since`, oldest first, at most `limit` entries. No cursor, or one of another
    /// epoch, reads from the start and says so.
    async fn feed(&self, since: Option<FeedCursor>, limit: usize) -> StoreResult<FeedPage>;

    /// Records an event that comes with no other change.
    async fn record(&self, event: Event) -> StoreResult<()>;

    /// Events after the `after`th, oldest first, at most `limit`, each with its number.
    async fn events(&self, after: u64, limit: usize) -> StoreResult<Vec<(u64, Event)>>;

    /// Counters that change when clients or keys change, by whichever process.
    async fn versions(&self) -> StoreResult<Versions>;

    /// How many sessions are stored.
    async fn session_count(&self) -> StoreResult<u64>;

    /// Removes what nobody can ask for any more: sessions a day past their end, or thirty days after
    /// they were ended if they had none, feed entries past
    /// their use, events older than `events`. At most `limit` rows of each.
    async fn prune(&self, events: Duration, limit: usize) -> StoreResult<Pruned>;

    /// Whether the store can read and write.
    async fn check(&self) -> StoreResult<()>;

    /// How many writes wait.
    fn queue_depth(&self) -> usize;
}

//! Keys: those that sign access tokens and those that tag refresh tokens, from store to ring.
//!
//! A key is stored, and thereby published and distributed, before it is used; it is replaced, never
//! changed; and it stays until the last token made with it has expired. All of that is read off
//! three timestamps in its record, so that every node comes to the same answer.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use daypass_core::revocation::FEED_LIFE;
use daypass_core::time::millis;
use daypass_core::{Timestamp, TokenKeyId, TokenSecrets};
use daypass_jwt::{Algorithm, JwkSet, KeySet, SigningKey};
use daypass_storage::{AddKey, DropKey, KeyPurpose, KeyRecord, Source, Store, StoreError};
use zeroize::Zeroizing;

use crate::config::KeyPolicy;
use crate::entropy::{self, Entropy};
use crate::seal::MasterKey;

/// The name under which secrets of refresh tokens are listed.
const TAG_ALGORITHM: &str = "HMAC-SHA-256";

/// How long one node looks after the keys before another may: a few times as long as it takes to come back.
const LEASE: Duration = Duration::from_secs(100);

/// From when on a key is used that another replaced before its time.
const NEVER: Timestamp = Timestamp::from_millis(i64::MAX);

/// Why keys could not be loaded, made or imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The store cannot answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key does not open under the master key.
    #[error(
        "the key {0} does not open under this master key: is it the one that this store was started with?"
    )]
    Sealed(String),
    /// A key is not what its record says, or was refused.
    #[error("the key {id}: {error}")]
    Unusable {
        /// Which.
        id: String,
        /// Why.
        error: daypass_jwt::KeyError,
    },
    /// HS256 has no key until the operator supplies one.
    #[error(
        "the algorithm HS256 needs a secret: import one with `daypass keys import --alg HS256 --secret-file FILE`"
    )]
    NoSharedSecret,
    /// Somebody else keeps changing the keys.
    #[error("the keys were changed at the same time by somebody else; try again")]
    Contended,
    /// The key is there already.
    #[error("the key {0} is there already")]
    Known(String),
    /// There is no such signing key.
    #[error("there is no signing key {0}")]
    Unknown(String),
    /// The key signs at present.
    #[error("the key {0} is in use: replace it first, with `daypass keys rotate --now`")]
    InUse(String),
    /// All 256 numbers of refresh-token secrets are taken by secrets that live sessions depend on.
    #[error("all 256 refresh-token secrets are still needed by live sessions")]
    NoNumberLeft,
}

/// When a new key is to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// After it has been published for a while.
    Published,
    /// At once: verifiers that have not fetched it yet will fetch it when they meet it.
    Now,
}

/// All keys that are in the store, opened.
#[derive(Debug)]
pub struct KeyRing {
    version: u64,
    signing: Vec<Signing>,
    tags: Vec<(TokenKeyId, Timestamp)>,
    secrets: TokenSecrets,
    verifying: KeySet,
    published: PublishedKeys,
}

#[derive(Debug)]
struct Signing {
    key: SigningKey,
    active_from: Timestamp,
}

/// The JWK set as it is served.
#[derive(Clone, Debug)]
pub struct PublishedKeys {
    /// The JSON (RFC 7517 section 5).
    pub json: Bytes,
    /// A strong entity tag, quotes included.
    pub etag: String,
    /// The algorithms of the keys in it, each once.
    pub algorithms: Vec<Algorithm>,
}

impl KeyRing {
    /// Opens what the store holds.
    pub(crate) async fn load(store: &dyn Store, master: &MasterKey) -> Result<Self, KeyError> {
        // The version first: if the keys change in between, they are loaded once more, not once less.
        let version = store.versions().await?.keys;
        let records = store.keys().await?;
        let mut ring = Self {
            version,
            signing: Vec::new(),
            tags: Vec::new(),
            secrets: TokenSecrets::default(),
            verifying: KeySet::default(),
            published: PublishedKeys { json: Bytes::new(), etag: String::new(), algorithms: Vec::new() },
        };
        let mut secrets = Vec::new();
        for record in &records {
            let opened = master.open(record.purpose, &record.id, &record.sealed);
            let plain = opened.map_err(|_| KeyError::Sealed(record.id.clone()))?;
            match record.purpose {
                KeyPurpose::AccessToken => {
                    let key = signing_key(record, &plain)?;
                    ring.signing.push(Signing { key, active_from: used_from(record) });
                }
                KeyPurpose::RefreshToken => {
                    let (id, secret) = tag_secret(record, &plain)?;
                    ring.tags.push((id, used_from(record)));
                    secrets.push((id, secret));
                }
            }
        }
        ring.secrets = TokenSecrets::new(secrets);
        ring.publish()?;
        Ok(ring)
    }

    fn publish(&mut self) -> Result<(), KeyError> {
        let unusable = |error| KeyError::Unusable { id: "set".to_owned(), error };
        self.verifying = KeySet::new(self.signing.iter().map(|s| s.key.verifying_key())).map_err(unusable)?;
        let json = JwkSet::new(self.verifying.iter()).map_err(unusable)?.to_json();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, json.as_bytes());
        let etag = URL_SAFE_NO_PAD.encode(digest.as_ref());
        let mut algorithms = Vec::new();
        for key in &self.signing {
            if !algorithms.contains(&key.key.algorithm()) {
                algorithms.push(key.key.algorithm());
            }
        }
        self.published = PublishedKeys { json: json.into(), etag: format!("\"{etag}\""), algorithms };
        Ok(())
    }

    /// The version of the keys that was loaded.
    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    /// The key that signs access tokens at `now`.
    pub(crate) fn signer(&self, now: Timestamp) -> Option<&SigningKey> {
        in_use(self.signing.iter(), |key| key.active_from, now).map(|key| &key.key)
    }

    /// The secret that tags refresh tokens made at `now`.
    pub(crate) fn tagger(&self, now: Timestamp) -> Option<TokenKeyId> {
        in_use(self.tags.iter(), |(_, from)| *from, now).map(|(id, _)| *id)
    }

    /// The secrets of refresh tokens.
    pub(crate) const fn secrets(&self) -> &TokenSecrets {
        &self.secrets
    }

    /// The keys that verify access tokens.
    pub(crate) const fn verifying(&self) -> &KeySet {
        &self.verifying
    }

    /// The JWK set as it is served.
    pub const fn published(&self) -> &PublishedKeys {
        &self.published
    }

    /// Since when the signing key in use at `now` has been in use.
    pub(crate) fn signing_since(&self, now: Timestamp) -> Option<Timestamp> {
        self.signing.iter().map(|key| key.active_from).filter(|from| *from <= now).max()
    }
}

/// Which of the keys of a purpose is in use at `now`: the one whose time came last.
fn in_use<'k, K>(
    keys: impl Iterator<Item = &'k K> + Clone,
    from: impl Fn(&K) -> Timestamp,
    now: Timestamp,
) -> Option<&'k K> {
    let active = keys.clone().filter(|key| from(key) <= now).max_by_key(|key| from(key));
    // A clock that went back before all of them must not stop the service.
    active.or_else(|| keys.min_by_key(|key| from(key)))
}

/// Whether a key is the one that a ring of these records uses at `now`.
fn is_in_use(key: &KeyRecord, records: &[KeyRecord], now: Timestamp) -> bool {
    let peers = records.iter().filter(|other| other.purpose == key.purpose);
    in_use(peers, used_from, now).is_some_and(|used| used.id == key.id)
}

/// Whether the last token that a key can have signed is dead for every verifier.
fn is_spent(key: &KeyRecord, records: &[KeyRecord], now: Timestamp) -> bool {
    let past = |end: Timestamp| end.plus(FEED_LIFE) <= now;
    let from = used_from(key);
    // What its record says is the plan; it signs until another does.
    let peers = records.iter().filter(|other| other.purpose == key.purpose);
    let succeeded = peers.map(used_from).filter(|next| *next > from).min();
    key.purpose == KeyPurpose::AccessToken
        && key.retired_from.is_some_and(past)
        && (from == NEVER || succeeded.is_some_and(past))
        && !is_in_use(key, records, now)
}

/// The newest key of a purpose, which no other is to follow.
fn newest(records: &[KeyRecord], purpose: KeyPurpose) -> Option<&KeyRecord> {
    records.iter().rfind(|key| key.purpose == purpose && key.retired_from.is_none())
}

/// From when on a key is used: never, if another took its place before that.
fn used_from(record: &KeyRecord) -> Timestamp {
    let replaced = record.retired_from.is_some_and(|retired| retired <= record.active_from);
    if replaced { NEVER } else { record.active_from }
}

fn signing_key(record: &KeyRecord, plain: &[u8]) -> Result<SigningKey, KeyError> {
    let unusable = |error| KeyError::Unusable { id: record.id.clone(), error };
    let algorithm = record.algorithm.parse().map_err(|_| KeyError::Sealed(record.id.clone()))?;
    SigningKey::from_private(algorithm, plain).map_err(unusable)
}

fn tag_secret(record: &KeyRecord, plain: &[u8]) -> Result<(TokenKeyId, [u8; 32]), KeyError> {
    let id = record.id.strip_prefix("tag-").and_then(|number| number.parse().ok()).map(TokenKeyId);
    let secret = plain.try_into().ok();
    id.zip(secret).ok_or_else(|| KeyError::Sealed(record.id.clone()))
}

/// What is known of a key without opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyView {
    /// The `kid`, or the name of a refresh-token secret.
    pub id: String,
    /// What it is for.
    pub purpose: &'static str,
    /// The algorithm.
    pub algorithm: String,
    /// Where it stands in its life.
    pub state: KeyState,
    /// From when on it is used.
    pub active_from: Timestamp,
    /// From when on another is used instead.
    pub retired_from: Option<Timestamp>,
}

/// Where a key stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, not yet used.
    Published,
    /// In use.
    Active,
    /// Not used any more; what was made with it still counts.
    Retired,
}

impl KeyState {
    /// The state in a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }
}

/// Makes, imports and retires keys. The command line uses it without a running service.
#[derive(Clone)]
pub struct KeyKeeper {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) master: MasterKey,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) policy: KeyPolicy,
    pub(crate) source: Source,
    /// The number of the lease under which it works, if it is under one.
    fence: Option<u64>,
}

impl std::fmt::Debug for KeyKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyKeeper").finish_non_exhaustive()
    }
}

impl KeyKeeper {
    /// A keeper of the store's keys.
    pub fn new(
        store: Arc<dyn Store>,
        master: MasterKey,
        entropy: Arc<dyn Entropy>,
        policy: KeyPolicy,
    ) -> Self {
        Self { store, master, entropy, policy, source: Source::default(), fence: None }
    }

    /// The same keeper, whose acts are recorded as `source`'s.
    #[must_use]
    pub fn acting_for(self, source: Source) -> Self {
        Self { source, ..self }
    }

    /// The secrets of refresh tokens, and the one that tags those made at `now`; for filling a store
    /// before a measurement.
    pub async fn token_secrets(
        &self,
        now: Timestamp,
    ) -> Result<Option<(TokenKeyId, TokenSecrets)>, KeyError> {
        let ring = KeyRing::load(&*self.store, &self.master).await?;
        Ok(ring.tagger(now).map(|tagger| (tagger, ring.secrets)))
    }

    /// All keys, without their private parts, in order of use.
    pub async fn list(&self, now: Timestamp) -> Result<Vec<KeyView>, KeyError> {
        let records = self.store.keys().await?;
        let view = |record: &KeyRecord| KeyView {
            id: record.id.clone(),
            purpose: record.purpose.name(),
            algorithm: record.algorithm.clone(),
            state: if is_in_use(record, &records, now) {
                KeyState::Active
            } else if used_from(record) > now && record.retired_from.is_none_or(|from| from > now) {
                KeyState::Published
            } else {
                KeyState::Retired
            },
            active_from: record.active_from,
            retired_from: record.retired_from,
        };
        Ok(records.iter().map(view).collect())
    }

    /// Makes what is missing: a first key and a first secret, or a key of another algorithm than
    /// before.
    pub async fn ensure(&self, now: Timestamp) -> Result<(), KeyError> {
        let mut tries = 0u8;
        loop {
            let (version, records) = self.records().await?;
            let added = if newest(&records, KeyPurpose::RefreshToken).is_none() {
                self.add_secret(version, &records, now, now).await?
            } else {
                let newest = newest(&records, KeyPurpose::AccessToken);
                if newest.is_some_and(|key| key.algorithm == self.policy.algorithm.name()) {
                    return Ok(());
                }
                // While any key signs, even one that was to be replaced, there is time to publish.
                let signs = records.iter().any(|key| key.purpose == KeyPurpose::AccessToken);
                let from = if signs { now.plus(self.policy.publish_ahead) } else { now };
                self.add_generated(version, now, from).await?
            };
            tries = if added { 0 } else { tries.saturating_add(1) };
            if tries > 10 {
                return Err(KeyError::Contended);
            }
        }
    }

    /// Replaces the signing key and the secret of refresh tokens.
    pub async fn rotate(&self, now: Timestamp, activation: Activation) -> Result<(), KeyError> {
        let version = self.store.versions().await?.keys;
        self.replace(version, now, activation).await
    }

    /// Replaces the keys unless somebody has changed them since `version`.
    async fn replace(&self, version: u64, now: Timestamp, activation: Activation) -> Result<(), KeyError> {
        let from = self.active_from(now, activation);
        // A secret that is shared with verifiers is replaced by whoever shares it.
        if !self.shares_secret() && !self.add_generated(version, now, from).await? {
            return Err(KeyError::Contended);
        }
        // The second half is not left undone because somebody forgot an old key meanwhile.
        for _ in 0..10 {
            let (version, records) = self.records().await?;
            if self.add_secret(version, &records, now, from).await? {
                return Ok(());
            }
        }
        Err(KeyError::Contended)
    }

    /// Brings in a key from outside. The first key of a store is used at once.
    pub async fn import(
        &self,
        key: &SigningKey,
        now: Timestamp,
        activation: Activation,
    ) -> Result<(), KeyError> {
        let (version, records) = self.records().await?;
        if records.iter().any(|record| record.id == key.kid()) {
            return Err(KeyError::Known(key.kid().to_owned()));
        }
        let first = !records.iter().any(|record| record.purpose == KeyPurpose::AccessToken);
        // What is shared in secret is never published, so there is nothing to wait for.
        let at_once = first || !key.algorithm().is_asymmetric();
        let from = if at_once { now } else { self.active_from(now, activation) };
        if self.add_signing(version, key, now, from).await? { Ok(()) } else { Err(KeyError::Contended) }
    }

    /// Withdraws a signing key: its tokens are refused as soon as verifiers have noticed. The key in
    /// use has to be replaced first.
    pub async fn withdraw(&self, id: &str, now: Timestamp) -> Result<(), KeyError> {
        for _ in 0..10 {
            let (expected, records) = self.records().await?;
            let key = records.iter().find(|key| key.id == id && key.purpose == KeyPurpose::AccessToken);
            let key = key.ok_or_else(|| KeyError::Unknown(id.to_owned()))?;
            if is_in_use(key, &records, now) {
                return Err(KeyError::InUse(id.to_owned()));
            }
            if self.store.drop_key(DropKey { id: id.to_owned(), expected, fence: self.fence }).await? {
                return Ok(());
            }
        }
        Err(KeyError::Contended)
    }

    /// All keys, sealed, and a version of them that is no newer.
    async fn records(&self) -> Result<(u64, Vec<KeyRecord>), KeyError> {
        let version = self.store.versions().await?.keys;
        Ok((version, self.store.keys().await?))
    }

    fn shares_secret(&self) -> bool {
        !self.policy.algorithm.is_asymmetric()
    }

    /// Looks after the keys, by the store's time, if `holder` has the lease or is given it.
    pub(crate) async fn upkeep(&self, holder: [u8; 16]) -> Result<(), KeyError> {
        let Some(lease) = self.store.lease(holder, LEASE).await? else { return Ok(()) };
        Self { fence: Some(lease.fence), ..self.clone() }.look_after(lease.now).await
    }

    /// Makes what is missing, replaces what is too old and forgets what nothing depends on any more.
    async fn look_after(&self, now: Timestamp) -> Result<(), KeyError> {
        // The version first, so that no other node that decides the same rotates a second time.
        let (version, records) = self.records().await?;
        let missing = |purpose| newest(&records, purpose).is_none();
        if missing(KeyPurpose::AccessToken) || missing(KeyPurpose::RefreshToken) {
            self.ensure(now).await?;
        }
        let aging = if self.shares_secret() { KeyPurpose::RefreshToken } else { KeyPurpose::AccessToken };
        if let (Some(key), Some(limit)) = (newest(&records, aging), self.policy.rotate_every)
            && self.is_due(key, limit, now)
        {
            // Somebody else may have been faster, which is as well.
            match self.replace(version, now, Activation::Published).await {
                Ok(()) | Err(KeyError::Contended) => {}
                Err(error) => return Err(error),
            }
        }
        self.forget_spent(version, records, now).await
    }

    /// Whether a newest key is to be replaced: it is too old, or so far in the future that a clock
    /// which has gone back since must have been wrong by more than a key's life.
    fn is_due(&self, key: &KeyRecord, limit: Duration, now: Timestamp) -> bool {
        let age = now.millis_since(key.active_from);
        let (limit, ahead) = (millis(limit), millis(self.policy.publish_ahead));
        age >= limit || age.saturating_neg() > limit.saturating_add(ahead)
    }

    /// Forgets the signing keys whose tokens are all dead. If somebody else changes the keys, the
    /// rest is left to the next upkeep.
    async fn forget_spent(
        &self,
        mut expected: u64,
        mut records: Vec<KeyRecord>,
        now: Timestamp,
    ) -> Result<(), KeyError> {
        while let Some(key) = records.iter().find(|key| is_spent(key, &records, now)) {
            if !self.store.drop_key(DropKey { id: key.id.clone(), expected, fence: self.fence }).await? {
                break;
            }
            (expected, records) = self.records().await?;
        }
        Ok(())
    }

    fn active_from(&self, now: Timestamp, activation: Activation) -> Timestamp {
        match activation {
            Activation::Published => now.plus(self.policy.publish_ahead),
            Activation::Now => now,
        }
    }

    async fn add_generated(&self, version: u64, now: Timestamp, from: Timestamp) -> Result<bool, KeyError> {
        if self.shares_secret() {
            return Err(KeyError::NoSharedSecret);
        }
        let unusable = |error| KeyError::Unusable { id: "new".to_owned(), error };
        let algorithm = self.policy.algorithm;
        let key = tokio::task::spawn_blocking(move || SigningKey::generate(algorithm)).await;
        let key = key.map_err(|_| KeyError::Contended)?.map_err(unusable)?;
        self.add_signing(version, &key, now, from).await
    }

    async fn add_signing(
        &self,
        version: u64,
        key: &SigningKey,
        now: Timestamp,
        from: Timestamp,
    ) -> Result<bool, KeyError> {
        let (id, algorithm) = (key.kid().to_owned(), key.algorithm().name());
        self.add(version, KeyPurpose::AccessToken, id, algorithm, &key.to_private(), (now, from)).await
    }

    /// Adds a secret for refresh tokens under the next free number. There are 256; when they have
    /// gone round, the oldest gives way, if no live session can hold its tokens any more.
    async fn add_secret(
        &self,
        version: u64,
        records: &[KeyRecord],
        now: Timestamp,
        from: Timestamp,
    ) -> Result<bool, KeyError> {
        let taken: Vec<&KeyRecord> =
            records.iter().filter(|key| key.purpose == KeyPurpose::RefreshToken).collect();
        let name = |number: u8| format!("tag-{number}");
        let free = (0..=u8::MAX).map(name).find(|id| !taken.iter().any(|key| key.id == *id));
        let Some(id) = free else {
            let oldest = taken.first().and_then(|key| key.retired_from.map(|from| (key.id.clone(), from)));
            let (id, retired) = oldest.ok_or(KeyError::Contended)?;
            if self.store.has_sessions_before(retired).await? {
                return Err(KeyError::NoNumberLeft);
            }
            self.store.drop_key(DropKey { id, expected: version, fence: self.fence }).await?;
            return Ok(false);
        };
        let secret = Zeroizing::new(entropy::bytes::<32>(&*self.entropy));
        self.add(version, KeyPurpose::RefreshToken, id, TAG_ALGORITHM, secret.as_slice(), (now, from)).await
    }

    async fn add(
        &self,
        version: u64,
        purpose: KeyPurpose,
        id: String,
        algorithm: &str,
        plain: &[u8],
        (now, from): (Timestamp, Timestamp),
    ) -> Result<bool, KeyError> {
        let sealed = self.master.seal(&*self.entropy, purpose, &id, plain);
        let key = KeyRecord {
            sealed: sealed.map_err(|_| KeyError::Sealed(id.clone()))?,
            id,
            purpose,
            algorithm: algorithm.to_owned(),
            created_at: now,
            active_from: from,
            retired_from: None,
        };
        let source = self.source.clone();
        Ok(self.store.add_key(AddKey { key, expected: version, fence: self.fence, source }).await?)
    }
}

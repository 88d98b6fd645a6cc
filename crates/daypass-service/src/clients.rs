//! Clients: registering them, and telling whether one is who it says.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daypass_core::{Client, ClientId, ClientKind, Grant, Policy, Scope};
use daypass_storage::{AddClient, Source, Store};

use crate::entropy::{self, Entropy};
use crate::error::ServiceError;
use crate::secret::Secret;
use crate::start::{Inner, Snapshot};

/// How a client identified itself.
#[derive(Clone, Debug)]
pub enum ClientAuth {
    /// By name only.
    Named(String),
    /// By name and secret.
    Secret {
        /// The name.
        id: String,
        /// The secret.
        secret: Secret,
    },
}

/// Why a client was refused.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Unknown, disabled, or not authenticated as it has to be: which of these is not told.
    #[error("the client is unknown or failed to authenticate")]
    Invalid,
}

/// A client that is who it says.
#[derive(Clone, Debug)]
pub struct RegisteredClient {
    pub(crate) client: Arc<Client>,
    pub(crate) policy: Policy,
}

impl RegisteredClient {
    /// Its name.
    pub fn id(&self) -> &ClientId {
        &self.client.id
    }

    /// Whether it is registered for a grant.
    pub fn may(&self, grant: Grant) -> bool {
        self.client.grants.contains(&grant)
    }

    /// Whether it has authenticated, as public clients cannot.
    pub fn is_confidential(&self) -> bool {
        self.client.kind == ClientKind::Confidential
    }

    /// Whether it is registered for a scope.
    pub fn holds(&self, scope: &str) -> bool {
        self.client.scopes.contains(scope)
    }
}

/// The digest under which a client secret is kept. Secrets have 256 random bits, so that a fast
/// hash is enough.
pub fn secret_digest(secret: &str) -> [u8; 32] {
    let mut digest = [0; 32];
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.as_bytes());
    digest.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
    digest
}

impl Snapshot {
    /// Tells whether a client is who it says (RFC 6749 section 2.3). A public client that sends a
    /// secret, and a confidential one that sends none, are refused like an unknown one.
    pub(crate) fn authenticate(&self, auth: &ClientAuth) -> Result<RegisteredClient, ClientError> {
        let (id, secret) = match auth {
            ClientAuth::Named(id) => (id, None),
            ClientAuth::Secret { id, secret } => (id, Some(secret)),
        };
        // Unknown clients take the same steps as known ones.
        let presented = secret.map_or([0; 32], |secret| secret_digest(secret.expose()));
        let found = self.clients.shared(id);
        let kept = found.map_or(&[][..], |(client, _)| &client.secrets);
        let matches = kept.iter().fold(false, |seen, kept| {
            seen | aws_lc_rs::constant_time::verify_slices_are_equal(kept, &presented).is_ok()
        });
        let (client, policy) = found.filter(|(client, _)| !client.disabled).ok_or(ClientError::Invalid)?;
        let good = match client.kind {
            ClientKind::Public => secret.is_none(),
            ClientKind::Confidential => secret.is_some() && matches,
        };
        if good {
            Ok(RegisteredClient { client: Arc::clone(client), policy: *policy })
        } else {
            Err(ClientError::Invalid)
        }
    }
}

impl Inner {
    /// The public first-party client of that name, or the built-in one.
    pub(crate) fn first_party(
        snapshot: &Snapshot,
        id: Option<&str>,
    ) -> Result<RegisteredClient, ClientError> {
        let id = id.unwrap_or(daypass_core::client::BUILT_IN);
        let client = snapshot.authenticate(&ClientAuth::Named(id.to_owned()))?;
        if client.client.is_public_first_party() { Ok(client) } else { Err(ClientError::Invalid) }
    }
}

/// A client to register.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// Its registration; secrets in it are replaced.
    pub client: Client,
}

impl NewClient {
    /// Registers it. A confidential client's secret is made here and returned this once.
    pub async fn register(
        mut self,
        store: &Arc<dyn Store>,
        entropy: &dyn Entropy,
        source: Source,
    ) -> Result<(AddClient, Option<Secret>), ServiceError> {
        self.client.secrets.clear();
        let secret = (self.client.kind == ClientKind::Confidential).then(|| new_secret(entropy));
        self.client.secrets.extend(secret.iter().map(|secret| secret_digest(secret.expose())));
        let added = store.add_client(self.client, source).await?;
        Ok((added, secret.filter(|_| added == AddClient::Added)))
    }
}

/// A secret of 256 random bits, with a prefix for people and secret scanners to recognise it by.
fn new_secret(entropy: &dyn Entropy) -> Secret {
    let random: [u8; 32] = entropy::bytes(entropy);
    Secret::new(format!("dps_{}", URL_SAFE_NO_PAD.encode(random)))
}

/// The scope that a client gets for itself: what it asks for, if it is registered for all of it.
pub(crate) fn own_scope(client: &Client, asked: Option<&Scope>) -> Option<Scope> {
    match asked {
        None => Some(client.scopes.clone()),
        Some(asked) if asked.is_subset_of(&client.scopes) => Some(asked.clone()),
        Some(_) => None,
    }
}

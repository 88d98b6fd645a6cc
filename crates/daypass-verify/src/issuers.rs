//! Several issuers side by side, each judged by its own keys and rules.

use std::sync::Arc;

use daypass_jwt::{DEFAULT_MAX_TOKEN_BYTES, VerifyError, issuer_of};

use crate::builder::Parts;
use crate::health::Health;
use crate::judge::Judge;
use crate::metrics::{Counts, Scrape};
use crate::{AuthError, ConfigError, VerifiedToken};

/// One judge for each issuer.
#[derive(Debug)]
pub(crate) struct Issuers {
    judges: Box<[Arc<Judge>]>,
    /// The tokens of nobody's.
    strays: Counts,
}

impl Issuers {
    pub(crate) fn one(parts: Parts) -> Result<Self, ConfigError> {
        Ok(Self::new(Box::new([Arc::new(Judge::start(parts)?)])))
    }

    pub(crate) fn of(members: Vec<Arc<Judge>>) -> Result<Self, ConfigError> {
        if members.is_empty() {
            return Err(ConfigError::NoVerifier);
        }
        for (place, member) in members.iter().enumerate() {
            if members.iter().take(place).any(|other| other.issuer() == member.issuer()) {
                return Err(ConfigError::DuplicateIssuer(member.issuer().to_owned()));
            }
        }
        Ok(Self::new(members.into()))
    }

    fn new(judges: Box<[Arc<Judge>]>) -> Self {
        Self { judges, strays: Counts::default() }
    }

    pub(crate) fn members(&self) -> &[Arc<Judge>] {
        &self.judges
    }

    pub(crate) async fn verify(&self, token: &str) -> Result<VerifiedToken, AuthError> {
        for member in &self.judges {
            // Only what this member found good before: the whole text is the same, the issuer too.
            if let Some(judged) = member.recall(token).await {
                return judged;
            }
        }
        self.choose(token)?.judge(token).await
    }

    pub(crate) fn verify_now(&self, token: &str) -> Result<VerifiedToken, AuthError> {
        if let Some(judged) = self.judges.iter().find_map(|member| member.recall_now(token)) {
            return judged;
        }
        self.choose(token)?.judge_now(token)
    }

    /// Whose policy and keys apply.
    fn choose(&self, token: &str) -> Result<&Judge, AuthError> {
        if let [sole] = &*self.judges {
            return Ok(sole);
        }
        self.named_by(token).map_err(|why| {
            let why = why.into();
            self.strays.refused(&why);
            why
        })
    }

    fn named_by(&self, token: &str) -> Result<&Judge, VerifyError> {
        let issuer = issuer_of(token, DEFAULT_MAX_TOKEN_BYTES)?;
        let judge = self.judges.iter().find(|member| member.issuer() == issuer);
        judge.map(Arc::as_ref).ok_or(VerifyError::Issuer)
    }

    pub(crate) fn health(&self) -> Health {
        Health { issuers: self.judges.iter().map(|member| member.health()).collect() }
    }

    pub(crate) fn metrics_text(&self) -> String {
        let mut scrape = Scrape::new();
        for member in &self.judges {
            member.measure(&mut scrape);
        }
        if self.judges.len() > 1 {
            self.strays.measure(&mut scrape, "");
        }
        scrape.text()
    }
}

//! A fetch that ends just after somebody has looked at the keys of the one before.

use std::sync::Arc;
use std::time::Duration;

use daypass_ambient::{Clock, ManualClock};
use daypass_jwt::{Algorithm, KeySet, SigningKey, VerifyError, VerifyingKey};

use super::state::{Hope, Next};
use super::{Remote, Shared};
use crate::AuthError;
use crate::keys::{KeySnapshot, Want};

/// Keys whose task is the test.
struct Stage {
    clock: ManualClock,
    remote: Remote,
    new: VerifyingKey,
}

impl Stage {
    /// One key is at hand, and a fetch for another one is under way.
    fn new() -> Self {
        let [old, new] = [(), ()].map(|()| SigningKey::generate(Algorithm::ES256).unwrap().verifying_key());
        let clock = ManualClock::new();
        let shared = Arc::new(Shared::new(Arc::new(clock.clone())));
        let task = tokio::spawn(std::future::pending::<()>()).abort_handle();
        let stage = Self { clock, remote: Remote { shared, task }, new };
        assert_eq!(stage.remote.shared.next(), Next::Fetch);
        stage.fetched(&old);
        stage.clock.advance(Duration::from_mins(1));
        assert_eq!(stage.remote.shared.hope(stage.want(0)), Ok(Hope::Next(2)));
        assert_eq!(stage.remote.shared.next(), Next::Fetch);
        stage
    }

    fn fetched(&self, key: &VerifyingKey) {
        let keys = KeySet::new([key.clone()]).unwrap();
        self.remote.shared.fetched(keys, self.clock.running());
    }

    /// What a token wants that was issued so many seconds ago.
    fn want(&self, age: i64) -> Want<'static> {
        let now = i64::try_from(self.clock.wall().as_secs()).unwrap();
        Want { header: "of the new key", published_by: Some(now - age + 30) }
    }

    /// Finds the new key, but that the fetch ends as soon as its first look has missed it.
    fn find(&self) -> impl FnMut(&KeySnapshot) -> Result<(), VerifyError> {
        let mut looked = false;
        move |keys| {
            let found = keys.find(Some(self.new.kid()), Algorithm::ES256).map(|_| ());
            if !std::mem::replace(&mut looked, true) {
                assert_eq!(found, Err(VerifyError::UnknownKey));
                self.fetched(&self.new);
            }
            found
        }
    }
}

#[tokio::test]
async fn a_key_that_comes_just_after_a_look_is_found_whenever_its_token_was_issued() {
    for age in [0, 300] {
        let stage = Stage::new();
        assert_eq!(stage.remote.resolve(stage.want(age), stage.find()).await, Ok(()), "{age} s");
        let stage = Stage::new();
        assert_eq!(stage.remote.resolve_now(stage.want(age), stage.find()), Ok(()), "{age} s");
    }
}

#[tokio::test]
async fn a_key_that_is_not_among_those_either_is_refused_as_ever() {
    let stage = Stage::new();
    stage.fetched(&stage.new);
    let never = |_: &KeySnapshot| Err::<(), _>(VerifyError::UnknownKey);
    let unknown = Err(AuthError::Invalid(VerifyError::UnknownKey));
    assert_eq!(stage.remote.resolve_now(stage.want(300), never), unknown);
    assert_eq!(stage.remote.resolve(stage.want(300), never).await, unknown);
    let wait = Err(super::unavailable(Duration::from_secs(10)));
    assert_eq!(stage.remote.resolve_now(stage.want(0), never), wait);
    assert_eq!(stage.remote.resolve(stage.want(0), never).await, wait);
}

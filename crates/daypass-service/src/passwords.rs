//! Passwords: argon2id on a bounded pool of its own, so that a storm of sign-ins leaves renewals
//! alone.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use daypass_storage::PasswordHash;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::entropy::{self, Entropy};
use crate::error::ServiceError;
use crate::secret::Secret;

/// OWASP's first recommendation for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// How much less urgent hashing is than everything else (`nice`).
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// The shortest password that is taken, in characters.
pub(crate) const SHORTEST: usize = 8;

/// The longest password that is taken, in bytes.
pub(crate) const LONGEST: usize = 1024;

/// Passwords that everybody tries first; those of at least eight characters.
const COMMON: &[&str] = &[
    "password",
    "password1",
    "password12",
    "password123",
    "passw0rd",
    "p@ssw0rd",
    "p@ssword",
    "12345678",
    "123456789",
    "1234567890",
    "0123456789",
    "987654321",
    "87654321",
    "11111111",
    "00000000",
    "12341234",
    "88888888",
    "66666666",
    "qwertyui",
    "qwertyuiop",
    "qwerty123",
    "qwerty12",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "1qaz2wsx",
    "q1w2e3r4",
    "zaq12wsx",
    "asdfghjkl",
    "asdfasdf",
    "iloveyou",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "superman",
    "trustno1",
    "welcome1",
    "letmein1",
    "letmein123",
    "admin123",
    "administrator",
    "changeme",
    "abcd1234",
    "abc12345",
    "a1b2c3d4",
    "monkey123",
    "dragon123",
    "starwars",
    "whatever",
    "computer",
    "internet",
    "michelle",
    "jennifer",
    "samsung1",
];

/// A password that must not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Too few characters.
    #[error("a password has at least {SHORTEST} characters")]
    Short,
    /// Too many bytes.
    #[error("a password has at most {LONGEST} bytes")]
    Long,
    /// Among the first that anybody would guess.
    #[error("this password is among the first that anybody would try")]
    Common,
}

/// Checks a password that somebody chose. There is no other rule: no classes of characters.
pub(crate) fn check(password: &Secret) -> Result<(), WeakPassword> {
    let text = password.expose();
    if text.chars().count() < SHORTEST {
        return Err(WeakPassword::Short);
    }
    if text.len() > LONGEST {
        return Err(WeakPassword::Long);
    }
    if COMMON.contains(&text.to_lowercase().as_str()) { Err(WeakPassword::Common) } else { Ok(()) }
}

/// A password could not be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the password could not be hashed")]
pub struct PasswordError;

/// Hashes a password on the calling thread, which takes tens of milliseconds.
pub fn hash(password: &Secret, entropy: &dyn Entropy) -> Result<PasswordHash, PasswordError> {
    let salt: [u8; 16] = entropy::bytes(entropy);
    let hash =
        argon2()?.hash_password_with_salt(password.expose().as_bytes(), &salt).map_err(|_| PasswordError)?;
    PasswordHash::new(hash.to_string()).ok_or(PasswordError)
}

fn argon2() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| PasswordError)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Whether a hash was made with other parameters than today's.
pub(crate) fn is_outdated(hash: &PasswordHash) -> bool {
    !hash.as_phc().starts_with(&format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$"))
}

type Job = Box<dyn FnOnce() + Send>;

/// The pool.
#[derive(Debug)]
pub(crate) struct Passwords {
    jobs: SyncSender<Job>,
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    queue: usize,
    /// Verified against where there is no such user, so that both take as long.
    decoy: PasswordHash,
}

/// The right to hash one password at a time.
#[derive(Debug)]
pub(crate) struct Turn {
    jobs: SyncSender<Job>,
    held: Arc<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

impl Passwords {
    pub(crate) fn start(
        workers: NonZeroUsize,
        queue: usize,
        entropy: &dyn Entropy,
    ) -> Result<Self, PasswordError> {
        let (jobs, waiting) = sync_channel::<Job>(workers.get());
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..workers.get() {
            let waiting = Arc::clone(&waiting);
            let thread = std::thread::Builder::new().name("daypass-password".to_owned());
            thread.spawn(move || work(&waiting)).map_err(|_| PasswordError)?;
        }
        let random: [u8; 16] = entropy::bytes(entropy);
        let decoy = Secret::new(random.map(|byte| format!("{byte:02x}")).concat());
        Ok(Self {
            jobs,
            turns: Arc::new(Semaphore::new(workers.get())),
            places: Arc::new(Semaphore::new(queue.saturating_add(workers.get()))),
            queue: queue.saturating_add(workers.get()),
            decoy: hash(&decoy, entropy)?,
        })
    }

    /// Waits for a turn; refuses at once where too many wait already.
    pub(crate) async fn turn(&self) -> Result<Turn, ServiceError> {
        let busy = |_| ServiceError::Busy { what: "sign-ins", retry_after: Duration::from_secs(2) };
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(busy)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|_| ServiceError::Internal("the password pool is closed"))?;
        Ok(Turn { jobs: self.jobs.clone(), held: Arc::new((turn, place)) })
    }

    /// How many wait or are being hashed.
    pub(crate) fn depth(&self) -> usize {
        self.queue.saturating_sub(self.places.available_permits())
    }

    /// The hash to verify against where there is none.
    pub(crate) const fn decoy(&self) -> &PasswordHash {
        &self.decoy
    }
}

impl Turn {
    /// Whether `password` is the one that was hashed.
    pub(crate) async fn verify(&self, password: Secret, against: PasswordHash) -> Result<bool, ServiceError> {
        self.run(move || {
            let bytes = password.expose().as_bytes();
            argon2().is_ok_and(|argon2| argon2.verify_password(bytes, against.as_phc()).is_ok())
        })
        .await
    }

    /// Hashes a password.
    pub(crate) async fn hash(
        &self,
        password: Secret,
        entropy: Arc<dyn Entropy>,
    ) -> Result<PasswordHash, ServiceError> {
        let hashed = self.run(move || hash(&password, &*entropy)).await?;
        hashed.map_err(|_| ServiceError::Internal("a password could not be hashed"))
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServiceError> {
        let (reply, answer) = oneshot::channel();
        // The turn lasts until the work is done, also if whoever asked for it has gone: there is
        // never more work than workers.
        let held = Arc::clone(&self.held);
        let job = Box::new(move || {
            let answer = work();
            drop(held);
            let _gone = reply.send(answer);
        });
        let stopped = ServiceError::Internal("the password pool has stopped");
        if self.jobs.try_send(job).is_err() {
            return Err(stopped);
        }
        answer.await.map_err(|_| stopped)
    }
}

/// A worker: it ends with the pool.
fn work(waiting: &Mutex<Receiver<Job>>) {
    // On Linux this is the thread's own; elsewhere it would be the whole process's. Without the right
    // to lower it the pool works all the same.
    #[cfg(target_os = "linux")]
    let _unchanged = rustix::process::setpriority_process(None, NICENESS);
    loop {
        let next = waiting.lock().map(|waiting| waiting.recv());
        match next {
            Ok(Ok(job)) => job(),
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn what_is_taken_as_a_password() {
        assert_eq!(check(&secret("7 chars")), Err(WeakPassword::Short));
        assert_eq!(check(&secret("ééééééé")), Err(WeakPassword::Short), "characters, not bytes");
        assert_eq!(check(&secret("PassWord123")), Err(WeakPassword::Common));
        assert_eq!(check(&secret(&"x".repeat(1025))), Err(WeakPassword::Long));
        assert_eq!(check(&secret(&"x".repeat(64))), Ok(()));
        assert_eq!(check(&secret(" spaces  are kept ")), Ok(()));
    }

    #[tokio::test]
    async fn the_pool_verifies_and_refuses_what_is_too_much() {
        let pool = Passwords::start(NonZeroUsize::MIN, 1, &Fixed).unwrap();
        let turn = pool.turn().await.unwrap();
        let hash = turn.hash(secret("correct horse"), Arc::new(Fixed)).await.unwrap();
        assert!(!is_outdated(&hash));
        assert!(turn.verify(secret("correct horse"), hash.clone()).await.unwrap());
        assert!(!turn.verify(secret("correct house"), hash.clone()).await.unwrap());
        assert!(!turn.verify(secret("correct horse"), pool.decoy().clone()).await.unwrap());

        let pool = Arc::new(pool);
        let waiting = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move { pool.turn().await.map(|_| ()) }
        });
        while pool.depth() < 2 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(pool.turn().await, Err(ServiceError::Busy { .. })));
        drop(turn);
        waiting.await.unwrap().unwrap();
        assert_eq!(pool.depth(), 0);
    }

    #[test]
    fn older_parameters_are_noticed() {
        let old = "$argon2id$v=19$m=4096,t=3,p=1$c2FsdHNhbHQ$aGFzaA".to_owned();
        assert!(is_outdated(&PasswordHash::new(old).unwrap()));
    }
}

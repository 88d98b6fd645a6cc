//! Those who stay: sessions of the client library that ask for access tokens, as programs with something to do would.

use std::sync::Arc;
use std::time::Duration;

use daypass_ambient::{Clock as _, SeededEntropy, SystemClock};
use daypass_chaos::dice::Dice;
use daypass_chaos::service::PASSWORD;
use daypass_client::{Credentials, Session, SessionError};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::account::{Account, Zero};
use crate::stage::{Stuck, staying};

/// So many sign in at once.
const AT_ONCE: usize = 8;

/// How long anybody waits for a sign-in, or for a renewal at the end.
const PATIENCE: Duration = Duration::from_mins(3);

/// Older than a quarter of an access token's life: younger ones are not renewed, even if they are refused.
const OLD_ENOUGH: Duration = Duration::from_millis(600);

/// Signs so many in.
pub(crate) async fn sign_in(issuer: &str, count: u32, dice: &Dice) -> Result<Vec<Session>, Stuck> {
    let (mut sessions, mut signing_in) = (Vec::new(), JoinSet::new());
    for number in 0..count {
        if signing_in.len() >= AT_ONCE {
            sessions.extend(next(&mut signing_in).await?);
        }
        let (issuer, seed) = (issuer.to_owned(), dice.word());
        signing_in.spawn(async move {
            let session = Session::builder(&issuer)
                .entropy(Arc::new(SeededEntropy::new(seed)))
                .http(reqwest::Client::builder().no_proxy())
                .build()
                .await?;
            let signing_in = async {
                loop {
                    let credentials = Credentials::password(staying(number.into()), PASSWORD);
                    match session.sign_in(credentials).await {
                        // Passwords take their time where the machine has much to do.
                        Err(SessionError::Unavailable { .. }) => SystemClock.sleep(OLD_ENOUGH).await,
                        done => return done,
                    }
                }
            };
            let late = |_late| Err(SessionError::Unavailable { retry_after: None });
            timeout(PATIENCE, signing_in).await.unwrap_or_else(late)?;
            Ok(session)
        });
    }
    while let Some(session) = next(&mut signing_in).await? {
        sessions.push(session);
    }
    Ok(sessions)
}

async fn next(signing_in: &mut JoinSet<Result<Session, SessionError>>) -> Result<Option<Session>, Stuck> {
    let unable = |error: String| Stuck(format!("nobody can sign in: {error}"));
    match signing_in.join_next().await {
        None => Ok(None),
        Some(Ok(Ok(session))) => Ok(Some(session)),
        Some(Ok(Err(error))) => Err(unable(error.to_string())),
        Some(Err(error)) => Err(unable(error.to_string())),
    }
}

/// Asks for an access token again and again. It ends where nothing more can be had.
pub(crate) async fn call(session: Session, dice: Dice, account: Arc<Account>) {
    loop {
        SystemClock.sleep(dice.millis(50, 350)).await;
        match session.access_token().await {
            Ok(_) => {}
            Err(SessionError::Unavailable { .. }) => account.told_later(),
            Err(SessionError::SignedOut(reason)) => {
                return account.object(Zero::SignOuts, format!("a session was signed out: {reason}"));
            }
            Err(error) => return account.object(Zero::Others, format!("a client failed: {error}")),
        }
    }
}

/// Renews once more, now that nothing is in the way.
pub(crate) async fn renew_once_more(session: &Session) -> Result<(), String> {
    let renewing = async {
        let mut held = None;
        loop {
            let token = match &held {
                None => session.access_token().await,
                Some(held) => session.refresh_if(held).await,
            };
            match token {
                Ok(token) if held.as_ref().is_some_and(|held| *held != token) => return Ok(()),
                Ok(token) => held = Some(token),
                Err(SessionError::Unavailable { .. }) => {}
                Err(error) => return Err(error.to_string()),
            }
            SystemClock.sleep(OLD_ENOUGH).await;
        }
    };
    timeout(PATIENCE, renewing).await.unwrap_or_else(|_late| Err("it takes too long".to_owned()))
}

//! What a host program does with a session: it asks for access tokens, and now and then one is refused.

use daypass_ambient::Clock;
use daypass_client::{AccessToken, Session};

use super::{PAUSE, Report};
use crate::fast::FastClock;
use daypass_chaos::dice::Dice;

/// In so many of a thousand calls the token is refused.
const REFUSED: u64 = 300;

/// One host of a session.
pub(crate) struct Caller {
    session: Session,
    dice: Dice,
    clock: FastClock,
    last: Option<AccessToken>,
}

impl Caller {
    pub(crate) fn new(session: Session, dice: Dice, clock: FastClock) -> Self {
        Self { session, dice, clock, last: None }
    }

    /// Makes a call a little later. What is told is worth telling.
    pub(crate) async fn call(&mut self) -> Option<Report> {
        self.clock.sleep(self.dice.millis(50, 900)).await;
        let refused = self.last.as_ref().filter(|_| self.dice.chance(REFUSED));
        let token = match refused {
            Some(refused) => self.session.refresh_if(refused).await,
            None => self.session.access_token().await,
        };
        match token {
            Ok(token) => {
                let newer = self.last.as_ref() != Some(&token);
                self.last = Some(token);
                newer.then_some(Report::Renewed)
            }
            Err(error) => {
                self.clock.sleep(PAUSE).await;
                Some(Report::of(&error))
            }
        }
    }

    pub(crate) fn dice(&self) -> &Dice {
        &self.dice
    }

    /// The host is started anew: it remembers nothing but what the store has.
    pub(crate) fn restart(&mut self, session: Session) {
        self.session = session;
        self.last = None;
    }
}

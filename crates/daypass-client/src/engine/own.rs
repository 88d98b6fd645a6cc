//! The access token of a client that acts for itself (RFC 6749 section 4.4).

use super::flight::{Flight, Stop};
use super::memory::Current;
use super::renewal::denied;
use crate::wire::{Answer, OwnToken};
use crate::{Access, AccessToken, Event, SessionError};

impl Flight {
    /// Asks for a token until there is one. There is no session that could end.
    pub(super) async fn ask_for_own(&mut self) -> Result<AccessToken, Stop> {
        loop {
            self.tries.ready().await?;
            let asked = self.engine.now();
            let request = self.engine.speaker.client_credentials();
            let request = request.ok_or(SessionError::Protocol("a client without a secret"))?;
            match self.tries.ask(request, OwnToken::read).await {
                None => {}
                Some(Answer::Renewed(own)) => {
                    let answered = self.engine.clock.wall();
                    let access = Access::of(&own, asked.wall);
                    let current = Current::asked_here(&access, asked, self.engine.jitter());
                    return self.settle(|memory| {
                        memory.hold_own(current);
                        memory.tell(Event::Refreshed);
                        Self::note_clock(memory, own.server_time, asked.wall, answered);
                        own.token
                    });
                }
                Some(Answer::Denied(denial)) => return Err(denied(denial).into()),
                Some(_) => {
                    return Err(SessionError::Protocol("it speaks of a session where there is none").into());
                }
            }
        }
    }
}

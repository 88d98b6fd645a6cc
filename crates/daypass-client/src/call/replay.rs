//! The rule that every front obeys: which requests of a call carry the access token, and when a refused call is
//! made again.

use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap, HeaderValue, StatusCode};
use reqwest::Url;

use super::refuses_token;
use crate::{AccessToken, Session, SessionError};

/// One call's dealings with its session.
///
/// - The token goes to allowed origins only. A call that has once been led elsewhere does not get it again: whoever
///   led it there chose where it goes from then on.
/// - `Authorization` of the caller's own is left alone, and so is the answer to it.
/// - The call is made again at most once, and only if the server wants another token, there is another, it is of
///   the same sign-in, and the request can be repeated.
#[derive(Debug)]
pub(crate) struct Bearer {
    session: Session,
    stance: Stance,
    replayed: bool,
}

#[derive(Debug)]
enum Stance {
    /// No request of this call carries the session's token any more.
    Apart,
    /// No request has been made yet.
    Ready,
    /// The last request carried this token.
    Sent(AccessToken, Owner),
}

/// Which sign-in a token is of.
#[derive(Debug, PartialEq, Eq)]
enum Owner {
    Session(Option<String>),
    /// Somebody signed in at that very moment.
    Unsure,
}

/// What follows from an answer.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is the answer to the call.
    Answer,
    /// It is the answer to the call, and a new token is there that it was not repeated with.
    Marked(NotReplayed),
    /// The request is to be sent once more, with this `Authorization`.
    Replay(HeaderValue),
}

/// Stands in the [extensions](http::Extensions) of a 401 whose access token has been renewed, although the call was
/// not made again. Make it again if it is still meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotReplayed {
    /// The body was a stream, which is gone.
    Body,
    /// Somebody else has signed in since the call was made, who may not have meant it.
    SomebodyElse,
}

/// Whether the call that was answered with this was not made again with the renewed token, and why.
///
/// ```no_run
/// # async fn shown(client: daypass_client::call::SessionClient, upload: reqwest::Body)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// let response = client.post("https://api.example/photos").body(upload).send().await?;
/// if daypass_client::call::not_replayed(response.extensions()).is_some() {
///     // Open the stream again, and make the call again.
/// }
/// # Ok(())
/// # }
/// ```
pub fn not_replayed(response: &Extensions) -> Option<NotReplayed> {
    response.get().copied()
}

impl Bearer {
    /// For a call with these headers.
    pub(crate) fn new(session: &Session, headers: &HeaderMap) -> Self {
        let stance = if headers.contains_key(AUTHORIZATION) { Stance::Apart } else { Stance::Ready };
        Self { session: session.clone(), stance, replayed: false }
    }

    /// The `Authorization` for the call's next request, to this URL. `None` for a request without the token.
    pub(crate) async fn authorization(
        &mut self,
        to: Option<&Url>,
    ) -> Result<Option<HeaderValue>, SessionError> {
        if matches!(self.stance, Stance::Apart) {
            return Ok(None);
        }
        if !to.is_some_and(|url| self.session.allows(url)) {
            self.stance = Stance::Apart;
            return Ok(None);
        }
        let before = self.session.session_id();
        let token = self.session.access_token().await?;
        let now = self.session.session_id();
        // Another process that shares the store may have signed in before: then there was nobody, or it is told
        // by the id.
        let sure = before.is_none() || before == now;
        let value = header(&token)?;
        self.stance = Stance::Sent(token, if sure { Owner::Session(now) } else { Owner::Unsure });
        Ok(Some(value))
    }

    /// What follows from the answer to the last request. `repeatable` tells whether that request can be sent again.
    pub(crate) async fn judge(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        repeatable: bool,
    ) -> Result<Verdict, SessionError> {
        let Stance::Sent(sent, owner) = &self.stance else { return Ok(Verdict::Answer) };
        if status != StatusCode::UNAUTHORIZED || self.replayed || !refuses_token(headers) {
            return Ok(Verdict::Answer);
        }
        let renewed = self.session.refresh_if(sent).await?;
        if renewed == *sent {
            return Ok(Verdict::Answer); // too young to be at fault
        }
        if Owner::Session(self.session.session_id()) != *owner {
            return Ok(Verdict::Marked(NotReplayed::SomebodyElse));
        }
        if !repeatable {
            return Ok(Verdict::Marked(NotReplayed::Body));
        }
        let value = header(&renewed)?;
        self.replayed = true;
        Ok(Verdict::Replay(value))
    }
}

fn header(token: &AccessToken) -> Result<HeaderValue, SessionError> {
    let text = zeroize::Zeroizing::new(format!("Bearer {}", token.expose()));
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| SessionError::Protocol("an access token that fits into no header"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_who_shows_headers_shows_the_token() {
        let value = header(&"a.b.c".to_owned().into()).unwrap();
        assert_eq!(value, "Bearer a.b.c");
        assert!(value.is_sensitive());
        let verdict = Verdict::Replay(value);
        assert!(!format!("{verdict:?}").contains("a.b.c"), "{verdict:?}");
    }

    #[test]
    fn a_token_that_fits_into_no_header_is_the_services_fault() {
        assert!(matches!(header(&"a\nb".to_owned().into()), Err(SessionError::Protocol(_))));
    }
}

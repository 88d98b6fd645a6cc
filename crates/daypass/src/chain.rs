//! One session's line of refresh tokens as its client holds it: the token, and the attempt ids that let the client
//! repeat itself.

use aws_lc_rs::error::Unspecified;

use crate::dice::Dice;
use crate::pair::{RefreshToken, Wrong};

/// How many pairs of generation and id an attempt list may have.
const LISTED: usize = 4;
const SEPARATOR: &str = ", ";

/// The newest token of one session, and the attempts around it.
#[derive(Debug)]
pub(crate) struct Chain {
    held: RefreshToken,
    /// The list that `held` was last sent with, until that was answered: to be sent again as it is.
    pending: Option<String>,
    /// The attempts of the last rotations, newest first, written as in a list.
    past: String,
}

impl Chain {
    /// A chain that begins with this token.
    pub(crate) fn new(held: RefreshToken) -> Self {
        Self { held, pending: None, past: String::new() }
    }

    /// The token to present.
    pub(crate) fn held(&self) -> &RefreshToken {
        &self.held
    }

    /// The attempt list to send with it. As long as no answer came it stays the same, so that the service
    /// recognises who retries.
    pub(crate) fn attempt(&mut self, dice: &mut Dice) -> Result<&str, Unspecified> {
        let list = match self.pending.take() {
            Some(list) => list,
            None => self.fresh_list(&dice.attempt_id()?),
        };
        Ok(self.pending.insert(list))
    }

    /// The attempt list that the held token was sent with and that still waits for its answer.
    pub(crate) fn unanswered(&self) -> Option<&str> {
        self.pending.as_deref()
    }

    /// The answer came: its token is the one to hold.
    pub(crate) fn advance(&mut self, successor: RefreshToken) {
        if let Some(list) = self.pending.take() {
            self.past = list.split(SEPARATOR).take(LISTED - 1).collect::<Vec<_>>().join(SEPARATOR);
        }
        self.held = successor;
    }

    /// The chain as a line of a token file: the token, and behind a tab the attempt list to repeat, if any.
    pub(crate) fn line(&self) -> String {
        match &self.pending {
            Some(list) => format!("{}\t{list}", self.held.text()),
            None => self.held.text().to_owned(),
        }
    }

    /// Reads a line of a token file.
    pub(crate) fn parse(line: &str) -> Result<Self, LineError> {
        let (token, list) = match line.split_once('\t') {
            Some((token, list)) => (token, Some(list)),
            None => (line, None),
        };
        let mut chain = Self::new(token.parse()?);
        if let Some(list) = list {
            check_list(list, chain.held.generation())?;
            chain.pending = Some(list.to_owned());
        }
        Ok(chain)
    }

    fn fresh_list(&self, id: &str) -> String {
        let generation = self.held.generation();
        if self.past.is_empty() {
            format!("{generation}:{id}")
        } else {
            format!("{generation}:{id}{SEPARATOR}{}", self.past)
        }
    }
}

fn check_list(list: &str, generation: u32) -> Result<(), LineError> {
    let mut entries = list.split(SEPARATOR);
    let first = entries.next().and_then(|entry| entry.split_once(':'));
    let labelled_rightly = first.is_some_and(|(label, id)| label == generation.to_string() && is_id(id));
    let others_good = entries.by_ref().take(LISTED - 1).all(|entry| {
        entry.split_once(':').is_some_and(|(label, id)| label.parse::<u32>().is_ok() && is_id(id))
    });
    if labelled_rightly && others_good && entries.next().is_none() {
        Ok(())
    } else {
        Err(LineError::Attempts)
    }
}

fn is_id(id: &str) -> bool {
    (22..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Why a line of a token file cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LineError {
    #[error(transparent)]
    Token(#[from] Wrong),
    #[error("behind the tab there is no attempt list that begins with the token's generation")]
    Attempts,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::tests::token;

    fn chain(generation: u32) -> Chain {
        Chain::parse(&token(7, generation)).unwrap()
    }

    #[test]
    fn an_unanswered_attempt_is_repeated_word_for_word() {
        let (mut chain, mut dice) = (chain(5), Dice::new());
        let first = chain.attempt(&mut dice).unwrap().to_owned();
        assert!(first.starts_with("5:") && first.len() == 24);
        assert_eq!(chain.attempt(&mut dice).unwrap(), first);
        assert_eq!(chain.line(), format!("{}\t{first}", token(7, 5)));
    }

    #[test]
    fn a_list_names_this_rotation_and_the_last_three() {
        let (mut chain, mut dice) = (chain(0), Dice::new());
        let mut ids = Vec::new();
        for generation in 0..6 {
            let list = chain.attempt(&mut dice).unwrap().to_owned();
            ids.insert(0, list.split(", ").next().unwrap().to_owned());
            assert_eq!(list, ids[..ids.len().min(4)].join(", "), "generation {generation}");
            chain.advance(token(7, generation + 1).parse().unwrap());
        }
        assert_eq!(chain.line(), token(7, 6), "nothing in flight, nothing to repeat");
    }

    #[test]
    fn a_line_read_back_repeats_its_attempt_and_remembers_the_rest() {
        let (mut before, mut dice) = (chain(5), Dice::new());
        for generation in 5..8 {
            before.attempt(&mut dice).unwrap();
            before.advance(token(7, generation + 1).parse().unwrap());
        }
        let sent = before.attempt(&mut dice).unwrap().to_owned();
        let mut after = Chain::parse(&before.line()).unwrap();
        assert_eq!(after.attempt(&mut dice).unwrap(), sent);
        after.advance(token(7, 9).parse().unwrap());
        let next = after.attempt(&mut dice).unwrap();
        assert!(next.starts_with("9:") && next.contains(sent.split(", ").next().unwrap()));
    }

    #[test]
    fn wrong_lines_are_refused() {
        let good = token(7, 5);
        let id = "A".repeat(22);
        let of = |list: String| Chain::parse(&format!("{good}\t{list}")).map(|chain| chain.line());
        assert_eq!(Chain::parse("dpr_x").unwrap_err(), LineError::Token(Wrong::NotAToken));
        assert!(of(format!("5:{id}, 4:{id}, 3:{id}, 2:{id}")).is_ok());
        for wrong in [
            String::new(),
            id.clone(),
            format!("4:{id}"),
            format!("05:{id}"),
            "5:short".to_owned(),
            format!("5:{id}!"),
            format!("5:{id}, {id}"),
            format!("5:{id}, x:{id}"),
            format!("5:{id}, 4:{id}, 3:{id}, 2:{id}, 1:{id}"),
            format!("5:{}", "A".repeat(129)),
        ] {
            assert_eq!(of(wrong.clone()), Err(LineError::Attempts), "{wrong}");
        }
    }
}

//! Generations, ids and requests as the model writes them.

/// A generation. Only differences count, so the session's own is moved to [`HERE`] after every step: what is checked
/// for a few generations is thereby checked for any number of them.
pub(crate) type Generation = u8;

/// The generation of the session's row.
pub(crate) const HERE: Generation = 32;

/// Tokens that are older than this are as good as this one: what they get is the same, whatever a fail-over loses.
pub(crate) const OLDEST: Generation = HERE - 8;

/// Who made an attempt id. Ids are equal if they have one maker and one label.
pub(crate) type Maker = u8;

/// No id.
pub(crate) const NOBODY: Maker = 0;
/// The owner's one id for a generation.
pub(crate) const OWNER: Maker = 1;
/// The thief's one id for a generation.
pub(crate) const THIEF: Maker = 2;
/// Ids that a client should not have made follow here.
pub(crate) const STRAY: Maker = 3;

/// The ids for four generations running, newest first.
pub(crate) type Ids = [Maker; 4];

/// `ids` of which the first is for `from`, read as if the first were for `to`.
pub(crate) fn realigned(ids: Ids, from: Generation, to: Generation) -> Ids {
    let mut moved = [NOBODY; 4];
    for (age, slot) in (0..).zip(&mut moved) {
        let label = to.checked_sub(age);
        let index = label.and_then(|label| from.checked_sub(label));
        *slot = index.and_then(|index| ids.get(usize::from(index)).copied()).unwrap_or(NOBODY);
    }
    moved
}

/// A refresh token: its generation, and the secret that tags it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Token {
    pub(crate) generation: Generation,
    pub(crate) key: u8,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Sender {
    /// A process or a tab of the holder. Requests that say the same are one: whoever waits for it has the answer, and
    /// whoever gives up first has lost it.
    Holder,
    /// The thief.
    Thief,
}

/// A request to rotate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Request {
    pub(crate) token: Token,
    /// The label of the first id.
    pub(crate) top: Generation,
    pub(crate) ids: Ids,
    pub(crate) from: Sender,
}

/// What the service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Reply {
    /// New tokens, or the same once more.
    Pair(Token),
    /// 409: the token's generation.
    Mismatch(Generation),
    /// `invalid_grant`, `superseded`.
    Superseded,
    /// `invalid_grant` for any other reason.
    Over,
}

/// Moves a generation along with the row's.
pub(crate) fn moved(generation: Generation, by: i16) -> Generation {
    let moved = i16::from(generation).saturating_add(by).max(i16::from(OLDEST));
    u8::try_from(moved).unwrap_or(Generation::MAX)
}

impl Token {
    pub(crate) fn moved(self, by: i16) -> Self {
        Self { generation: moved(self.generation, by), ..self }
    }
}

impl Request {
    /// The ids move as far as the token does.
    pub(crate) fn moved(self, by: i16) -> Self {
        let token = self.token.moved(by);
        let by = i16::from(token.generation) - i16::from(self.token.generation);
        Self { token, top: moved(self.top, by), ..self }
    }
}

impl Reply {
    pub(crate) fn moved(self, by: i16) -> Self {
        match self {
            Self::Pair(token) => Self::Pair(token.moved(by)),
            Self::Mismatch(generation) => Self::Mismatch(moved(generation, by)),
            Self::Superseded | Self::Over => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn realigned_ids_keep_their_labels() {
        let ids = [4, 3, 2, 1];
        assert_eq!(realigned(ids, HERE, HERE), ids);
        assert_eq!(realigned(ids, HERE, HERE + 1), [NOBODY, 4, 3, 2]);
        assert_eq!(realigned(ids, HERE, HERE + 3), [NOBODY, NOBODY, NOBODY, 4]);
        assert_eq!(realigned(ids, HERE, HERE + 4), [NOBODY; 4]);
        assert_eq!(realigned(ids, HERE, HERE - 1), [3, 2, 1, NOBODY]);
        assert_eq!(realigned(ids, HERE, HERE - 4), [NOBODY; 4]);
        assert_eq!(realigned(ids, 1, 2), [NOBODY, 4, 3, NOBODY], "there is nothing before generation 0");
    }

    #[test]
    fn ids_stay_with_their_token_when_it_is_as_old_as_any() {
        let token = Token { generation: OLDEST + 2, key: 1 };
        let request =
            Request { token, top: OLDEST + 3, ids: [OWNER, THIEF, NOBODY, OWNER], from: Sender::Holder };
        for by in [-40, -4, -2, -1, 0, 5] {
            let after = request.moved(by);
            assert_eq!(after.token, token.moved(by), "by {by}");
            assert_eq!(after.top, after.token.generation + 1, "by {by}");
            assert_eq!((after.ids, after.from), (request.ids, request.from), "by {by}");
        }
        assert_eq!(request.moved(-40).token, Token { generation: OLDEST, key: 1 });
    }
}

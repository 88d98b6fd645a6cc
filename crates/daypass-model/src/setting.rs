//! A setting: who takes part, what may go wrong, and which rule is broken on purpose.

use daypass_core::Decision;

use crate::mutant::Mutant;
use crate::property::Property;
use crate::tally::Tally;

/// One configuration of the model.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each may be chosen whatever the others are")]
pub(crate) struct Setting {
    /// Its name.
    pub(crate) name: &'static str,
    /// What takes part, in a line.
    pub(crate) about: &'static str,
    /// Whose session it is.
    pub(crate) holder: HolderKind,
    /// What a thief copies, if there is one, and how often at most.
    pub(crate) thief: Option<Loot>,
    pub(crate) thefts: u8,
    /// How many different requests the network holds at once.
    pub(crate) network: usize,
    /// How many answers with cookies are on their way at once.
    pub(crate) cookies: usize,
    /// How many generations a session may be ahead of a request that is delivered.
    pub(crate) late: u8,
    /// How many of the last commits a fail-over loses at most; none without fail-overs.
    pub(crate) lost: usize,
    /// How many fail-overs there are after a theft at most.
    pub(crate) failovers: u8,
    /// How many fail-overs there are at most before a commit is safe from them.
    pub(crate) unsettled: u8,
    /// Whether sign-ins and ends of sessions wait for the standby.
    pub(crate) synchronous: bool,
    /// Whether somebody may end the session.
    pub(crate) revokes: bool,
    /// Whether the secret that tags refresh tokens changes.
    pub(crate) new_keys: bool,
    /// Whether the disk of the holder's store may be full.
    pub(crate) full_disk: bool,
    /// Whether the session is bound to a DPoP key.
    pub(crate) bound: bool,
    /// Whether a returning used token ends all of the subject's sessions, or this one.
    pub(crate) ends_subject: bool,
    /// How many ticks a rotation may be repeated without ids.
    pub(crate) grace: i8,
    /// Whether those without ids keep to the grace.
    pub(crate) within_grace: bool,
    /// How time passes, if it does.
    pub(crate) time: Option<Time>,
    /// How often owner and thief take turns at most, with this many fail-overs after the theft; `u8::MAX` where nobody
    /// counts.
    pub(crate) turns: [u8; 3],
    /// What is held to be true.
    pub(crate) properties: &'static [Property],
    /// The rule that is broken on purpose.
    pub(crate) mutant: Mutant,
    /// What is counted on the way.
    pub(crate) tally: Option<&'static Tally>,
}

/// Whose session it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HolderKind {
    /// Processes that share a store with compare-and-swap, and make attempt ids or do not.
    Sharers { processes: usize, ids: bool },
    /// Tabs of a browser, with a cookie jar and an id store.
    Browser { tabs: usize },
}

/// What a thief copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loot {
    /// A refresh token.
    Token,
    /// Everything that the holder's store has: the refresh token and the attempt ids.
    Store,
}

/// Time, in ticks since the session's start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    /// The session's life.
    pub(crate) life: i8,
    /// How long it may go without a renewal, if that is limited.
    pub(crate) idle: Option<i8>,
    /// When the model ends.
    pub(crate) until: i8,
    /// Whether the service's clock may also go back.
    pub(crate) back: bool,
}

impl Setting {
    /// One process, two requests in the network, and nothing else that could go wrong.
    pub(crate) const QUIET: Self = Self {
        name: "",
        about: "",
        holder: HolderKind::Sharers { processes: 1, ids: true },
        thief: None,
        thefts: 0,
        network: 2,
        cookies: 1,
        late: 4,
        lost: 0,
        failovers: 0,
        unsettled: 2,
        synchronous: true,
        revokes: false,
        new_keys: false,
        full_disk: false,
        bound: false,
        ends_subject: true,
        grace: 1,
        within_grace: true,
        time: None,
        turns: [0; 3],
        properties: &[],
        mutant: Mutant::None,
        tally: None,
    };

    /// Counts an answer.
    pub(crate) fn count(&self, decision: &Decision) {
        if let Some(tally) = self.tally {
            tally.count(decision);
        }
    }

    /// Whether the holder makes attempt ids.
    pub(crate) const fn has_ids(&self) -> bool {
        !matches!(self.holder, HolderKind::Sharers { ids: false, .. })
    }
}

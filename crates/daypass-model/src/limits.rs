//! The limits: where something is known to go wrong. Each has to be found.

use crate::property::Property::{self, NoAccident, NoShadowing, RevocationWins, Turns};
use crate::setting::Setting;
use crate::settings as s;

/// What is known to go wrong, and what it takes.
pub(crate) struct Limit {
    pub(crate) setting: Setting,
    pub(crate) breaks: Property,
}

/// The limits. If the checker did not find one of these, a promise would be stated too weakly or an assumption in vain.
pub(crate) fn all() -> Vec<Limit> {
    let limit = |name, about, breaks, setting| Limit { setting: Setting { name, about, ..setting }, breaks };
    vec![
        limit(
            "a sixth fail-over",
            "six in a row, each before a commit is safe: more than 16 generations are lost",
            NoAccident,
            Setting { unsettled: 6, ..s::FAILOVERS },
        ),
        limit(
            "five rotations late",
            "a request that the network keeps for five rotations",
            NoAccident,
            Setting { late: 5, lost: 0, network: 2, ..s::ONE },
        ),
        limit(
            "lost sign-in",
            "the standby had not heard of the sign-in",
            NoAccident,
            Setting { synchronous: false, ..s::ONE },
        ),
        limit(
            "lost revocation",
            "the standby had not heard of the revocation",
            RevocationWins,
            Setting { synchronous: false, ..s::REVOKED },
        ),
        limit(
            "without ids, too late",
            "a retry after the grace",
            NoAccident,
            Setting { within_grace: false, ..s::PLAIN },
        ),
        limit(
            "without ids, shadowed",
            "a thief that follows in the grace",
            NoShadowing,
            Setting { properties: &[NoShadowing], ..s::PLAIN_THIEF },
        ),
        limit(
            "store thief, shadowing",
            "whoever copied the id with the token repeats the rotation, once",
            NoShadowing,
            Setting { properties: &[NoShadowing], ..s::STORE },
        ),
        limit(
            "one turn",
            "one theft of a store, and no fail-over: owner and thief take turns once",
            Turns,
            Setting { turns: [0; 3], ..s::STORE },
        ),
        limit("three turns", "two thefts of a store", Turns, Setting { turns: [2; 3], ..s::STORE_TWICE }),
        limit(
            "turns and a fail-over",
            "two more for a fail-over after the theft",
            Turns,
            Setting { turns: [2, 3, 0], ..s::STORE_AND_LOSS },
        ),
        limit(
            "turns of a token thief",
            "two for a fail-over after the theft, one for one before",
            Turns,
            Setting { turns: [1, 2, 0], ..s::TOKEN_AND_LOSS },
        ),
    ]
}

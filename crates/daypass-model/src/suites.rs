//! Which configurations are checked: those of a few seconds each, and those of minutes.

use crate::setting::Setting;
use crate::settings::{
    BOUND, BOUND_STORE, CLOCK, CLOCK_AND_LOSS, ENDED, FAILOVERS, FULL_DISK, NEW_KEYS, ONE, PLAIN,
    PLAIN_THIEF, REVOKED, STORE, STORE_AND_LOSS, STORE_TWICE, TAB, TAB_AND_LOSS, TAB_THIEF, TABS, TOKEN,
    TOKEN_AND_GRACE, TOKEN_AND_LOSS, TWO, TWO_AND_LOSS, browser, sharers,
};

/// What is checked in a few seconds each.
pub(crate) fn short() -> Vec<Setting> {
    vec![
        ONE,
        TWO,
        TWO_AND_LOSS,
        FULL_DISK,
        NEW_KEYS,
        FAILOVERS,
        REVOKED,
        CLOCK,
        CLOCK_AND_LOSS,
        PLAIN,
        PLAIN_THIEF,
        BOUND,
        BOUND_STORE,
        TOKEN,
        TOKEN_AND_GRACE,
        TOKEN_AND_LOSS,
        STORE,
        STORE_TWICE,
        STORE_AND_LOSS,
        Setting {
            name: "store thief, one session",
            about: "reuse ends one session only",
            ends_subject: false,
            ..STORE
        },
        TAB,
        TABS,
        TAB_AND_LOSS,
        TAB_THIEF,
        Setting { name: "browser, new secrets", about: "one request", new_keys: true, network: 1, ..TAB },
        Setting {
            name: "token thief, revoked",
            about: "somebody ends the session",
            revokes: true,
            thefts: 1,
            turns: [0; 3],
            ..TOKEN
        },
        Setting {
            name: "browser, revoked",
            about: "somebody ends the session",
            properties: ENDED,
            revokes: true,
            ..TAB
        },
        Setting {
            name: "without ids, revoked",
            about: "the same",
            properties: ENDED,
            revokes: true,
            ..PLAIN
        },
        Setting { name: "bound, revoked", about: "the same", properties: ENDED, revokes: true, ..BOUND },
        Setting {
            name: "without ids, fail-overs",
            about: "one before a commit is safe",
            lost: 2,
            unsettled: 1,
            ..PLAIN
        },
    ]
}

/// The same with more of everything.
#[expect(clippy::too_many_lines, reason = "a list")]
pub(crate) fn deep() -> Vec<Setting> {
    let mut settings = short();
    settings.extend([
        Setting { name: "three processes", about: "one store", holder: sharers(3), ..TWO },
        Setting {
            name: "two processes, more fail-overs",
            about: "twice before a commit is safe",
            unsettled: 2,
            ..TWO_AND_LOSS
        },
        Setting {
            name: "two processes, all at once",
            about: "fail-overs, a full disk, two requests",
            full_disk: true,
            ..TWO_AND_LOSS
        },
        Setting {
            name: "two processes, token thief",
            about: "one theft",
            holder: sharers(2),
            thefts: 1,
            turns: [0; 3],
            ..TOKEN
        },
        Setting { name: "two processes, store thief", about: "one theft", holder: sharers(2), ..STORE },
        Setting { name: "store thief, twice, two requests", about: "two thefts", network: 2, ..STORE_TWICE },
        Setting {
            name: "store thief, two fail-overs",
            about: "after the theft",
            failovers: 2,
            turns: [2, 4, 6],
            ..STORE_AND_LOSS
        },
        Setting {
            name: "browser, three tabs",
            about: "one request in the network",
            holder: browser(3),
            ..TABS
        },
        Setting { name: "browser, two tabs, two requests", about: "and one answer", network: 2, ..TABS },
        Setting { name: "browser, two answers", about: "one tab", cookies: 2, ..TAB },
        Setting {
            name: "browser, two tabs, fail-overs",
            about: "one request",
            holder: browser(2),
            ..TAB_AND_LOSS
        },
        Setting {
            name: "bound, two processes",
            about: "DPoP; a thief has all that the store has",
            holder: sharers(2),
            ..BOUND_STORE
        },
        Setting {
            name: "token thief, fail-overs, two requests",
            about: "up to two fail-overs after the theft",
            network: 2,
            turns: [2, 4, 6],
            ..TOKEN_AND_LOSS
        },
        Setting {
            name: "store thief, fail-over, two requests",
            about: "one fail-over after the theft",
            network: 2,
            turns: [2, 5, 0],
            ..STORE_AND_LOSS
        },
        Setting { name: "browser, thief, two answers", about: "one tab", cookies: 2, ..TAB_THIEF },
        Setting {
            name: "browser, fail-overs, new secrets",
            about: "one tab",
            new_keys: true,
            ..TAB_AND_LOSS
        },
    ]);
    settings
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::limits;
    use crate::mutant::Mutant;
    use crate::property::Property;

    #[test]
    fn names_are_unique() {
        let limits = limits::all();
        let mut names = BTreeSet::new();
        for name in deep().iter().chain(limits.iter().map(|limit| &limit.setting)).map(|setting| setting.name)
        {
            assert!(!name.is_empty() && names.insert(name), "{name:?} is there twice");
        }
    }

    #[test]
    fn every_property_is_asked_for() {
        let asked: Vec<_> = short().iter().flat_map(|setting| setting.properties).copied().collect();
        let never: Vec<_> = Property::declared().filter(|property| !asked.contains(property)).collect();
        assert_eq!(never, []);
    }

    #[test]
    fn nothing_is_mutated_here() {
        assert!(deep().iter().all(|setting| setting.mutant == Mutant::None));
    }
}

//! The configurations that are checked: every promise has to hold in them.

use crate::property::Property::{
    self, BoundHolds, EndsByPolicy, ExpiryWins, GraceEnds, NoAccident, NoRevival, NoShadowing,
    NoUnnoticedThief, OneLineage, OwnersReturn, Progress, RevocationWins, ShadowReported, ToldStaysTold,
    Turns,
};
use crate::setting::{HolderKind, Loot, Setting, Time};

const HONEST: &[Property] = &[NoAccident, Progress, OneLineage];
const TOKEN_THIEF: &[Property] = &[
    NoAccident,
    NoUnnoticedThief,
    OwnersReturn,
    NoShadowing,
    Turns,
    EndsByPolicy,
    OneLineage,
    RevocationWins,
];
/// Where commits may be lost, a repeat serves who has what was lost.
const TOKEN_THIEF_AND_LOSS: &[Property] =
    &[NoAccident, NoUnnoticedThief, OwnersReturn, Turns, EndsByPolicy, RevocationWins];
const STORE_THIEF: &[Property] = &[NoAccident, OwnersReturn, Turns, EndsByPolicy, OneLineage, RevocationWins];

/// What holds of a session that somebody ends.
pub(crate) const ENDED: &[Property] = &[NoAccident, RevocationWins, NoRevival];

const WITHOUT_IDS: HolderKind = HolderKind::Sharers { processes: 1, ids: false };

/// The holder of that kind.
pub(crate) const fn sharers(processes: usize) -> HolderKind {
    HolderKind::Sharers { processes, ids: true }
}

/// The holder of that kind.
pub(crate) const fn browser(tabs: usize) -> HolderKind {
    HolderKind::Browser { tabs }
}

/// Time without an end that matters.
const fn until(until: i8) -> Time {
    Time { life: i8::MAX, idle: None, until, back: false }
}

const Q: Setting = Setting::QUIET;

/// One process with attempt ids, and everything that the network and the store can do to it.
pub(crate) const ONE: Setting = Setting {
    name: "one process",
    about: "fail-overs lose up to 2 commits, twice before one is safe",
    lost: 2,
    network: 3,
    properties: HONEST,
    ..Q
};

/// Two processes that share a store.
pub(crate) const TWO: Setting = Setting {
    name: "two processes",
    about: "one store",
    holder: sharers(2),
    network: 3,
    properties: HONEST,
    ..Q
};

pub(crate) const TWO_AND_LOSS: Setting = Setting {
    name: "two processes, fail-overs",
    about: "fail-overs lose up to 2 commits",
    holder: sharers(2),
    lost: 2,
    unsettled: 1,
    properties: HONEST,
    ..Q
};

pub(crate) const FULL_DISK: Setting = Setting {
    name: "two processes, full disk",
    about: "the store takes no writes, now and then",
    holder: sharers(2),
    full_disk: true,
    properties: HONEST,
    ..Q
};

pub(crate) const NEW_KEYS: Setting = Setting {
    name: "two processes, new secrets",
    about: "the secret that tags refresh tokens changes at any time",
    holder: sharers(2),
    new_keys: true,
    properties: HONEST,
    ..Q
};

/// Fail-overs in a row.
pub(crate) const FAILOVERS: Setting = Setting {
    name: "one process, five fail-overs",
    about: "five fail-overs in a row, each before a commit is safe",
    lost: 2,
    unsettled: 5,
    properties: HONEST,
    ..Q
};

pub(crate) const REVOKED: Setting = Setting {
    name: "revoked",
    about: "somebody ends the session; fail-overs; ends wait for the standby",
    lost: 2,
    revokes: true,
    properties: &[NoAccident, RevocationWins, NoRevival],
    ..Q
};

/// The service's clock goes forward and back.
pub(crate) const CLOCK: Setting = Setting {
    name: "clock",
    about: "both ends of a session's time; the clock goes on and back",
    time: Some(Time { life: 4, idle: Some(2), until: 6, back: true }),
    properties: &[NoAccident, ExpiryWins, ToldStaysTold, OneLineage],
    ..Q
};

pub(crate) const CLOCK_AND_LOSS: Setting = Setting {
    name: "clock, fail-overs",
    about: "the same with fail-overs",
    lost: 2,
    network: 1,
    unsettled: 1,
    time: Some(Time { life: 4, idle: Some(1), until: 4, back: false }),
    properties: &[NoAccident, ExpiryWins],
    ..Q
};

/// A client without attempt ids that keeps to the grace.
pub(crate) const PLAIN: Setting = Setting {
    name: "without ids",
    about: "it retries within the grace, and nothing arrives that it has left behind",
    holder: WITHOUT_IDS,
    time: Some(until(5)),
    properties: &[NoAccident, OneLineage, GraceEnds],
    new_keys: true,
    ..Q
};

/// A client without attempt ids, and a thief.
pub(crate) const PLAIN_THIEF: Setting = Setting {
    name: "without ids, thief",
    about: "a thief has a refresh token and follows in the grace",
    holder: WITHOUT_IDS,
    thief: Some(Loot::Token),
    thefts: 1,
    network: 1,
    time: Some(until(3)),
    turns: [u8::MAX; 3],
    properties: &[ShadowReported, GraceEnds, RevocationWins],
    ..Q
};

/// A session that is bound to a key.
pub(crate) const BOUND: Setting = Setting {
    name: "bound, without ids",
    about: "DPoP, no grace; a thief has the refresh token, twice, and not the key",
    bound: true,
    grace: 0,
    holder: WITHOUT_IDS,
    thief: Some(Loot::Token),
    thefts: 2,
    properties: &[BoundHolds, NoAccident, Progress],
    new_keys: true,
    ..Q
};

pub(crate) const BOUND_STORE: Setting = Setting {
    name: "bound, with ids",
    about: "DPoP; a thief has all that the store has, and not the key",
    bound: true,
    thief: Some(Loot::Store),
    thefts: 1,
    properties: &[BoundHolds, NoAccident, Progress],
    ..Q
};

/// A thief that copies refresh tokens.
pub(crate) const TOKEN: Setting = Setting {
    name: "token thief",
    about: "two thefts of any refresh token, from the store or the network",
    thief: Some(Loot::Token),
    thefts: 2,
    grace: 0,
    turns: [1, 0, 0],
    properties: TOKEN_THIEF,
    ..Q
};

/// The same where the grace is on: it is nothing to those who make ids.
pub(crate) const TOKEN_AND_GRACE: Setting = Setting {
    name: "token thief, grace",
    about: "one theft; the grace is on",
    grace: 1,
    thefts: 1,
    network: 1,
    turns: [0; 3],
    properties: &[NoAccident, NoUnnoticedThief, OwnersReturn, Turns],
    ..TOKEN
};

pub(crate) const TOKEN_AND_LOSS: Setting = Setting {
    name: "token thief, fail-overs",
    about: "one theft; up to two fail-overs after it",
    thefts: 1,
    lost: 2,
    failovers: 2,
    unsettled: 1,
    network: 1,
    turns: [1, 3, 5],
    properties: TOKEN_THIEF_AND_LOSS,
    ..TOKEN
};

/// A thief that copies the store.
pub(crate) const STORE: Setting = Setting {
    name: "store thief",
    about: "one theft of refresh token and ids",
    thief: Some(Loot::Store),
    thefts: 1,
    grace: 0,
    turns: [1, 0, 0],
    properties: STORE_THIEF,
    ..Q
};

pub(crate) const STORE_TWICE: Setting = Setting {
    name: "store thief, twice",
    about: "two thefts of refresh token and ids",
    thefts: 2,
    network: 1,
    turns: [3, 0, 0],
    ..STORE
};

pub(crate) const STORE_AND_LOSS: Setting = Setting {
    name: "store thief, fail-overs",
    about: "one theft of refresh token and ids; one fail-over after it",
    lost: 2,
    failovers: 1,
    unsettled: 1,
    network: 1,
    turns: [2, 4, 0],
    properties: &[NoAccident, OwnersReturn, Turns, EndsByPolicy],
    ..STORE
};

/// A browser with two tabs.
pub(crate) const TABS: Setting = Setting {
    name: "browser, two tabs",
    about: "late cookies, a kill before the cookie is on disk",
    holder: browser(2),
    network: 1,
    properties: HONEST,
    ..Q
};

pub(crate) const TAB: Setting = Setting {
    name: "browser, one tab",
    about: "two requests in the network",
    holder: browser(1),
    properties: HONEST,
    ..Q
};

pub(crate) const TAB_AND_LOSS: Setting =
    Setting { name: "browser, fail-overs", about: "one tab", lost: 2, unsettled: 1, network: 1, ..TAB };

pub(crate) const TAB_THIEF: Setting = Setting {
    name: "browser, token thief",
    about: "one tab; the cookie is stolen",
    thief: Some(Loot::Token),
    thefts: 1,
    grace: 0,
    network: 1,
    properties: TOKEN_THIEF,
    ..TAB
};

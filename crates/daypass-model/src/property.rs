//! What has to hold in every state.

/// A promise. Broken ones are noted in the state where it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Property {
    /// Nobody who was not robbed, not ended and not expired is signed out.
    NoAccident,
    /// From every state the holder can get on: two more rotations, once the faults stop.
    Progress,
    /// Thief and owner have both got tokens for the stolen generation or a later one: the session is over.
    NoUnnoticedThief,
    /// A thief has got tokens: the session is over as soon as its owner (and after the theft of a whole store: each
    /// of the two) goes on.
    OwnersReturn,
    /// The parent of the current token, presented by somebody else than who rotated it, gets nothing.
    NoShadowing,
    /// Owner and thief take turns no more often than stated.
    Turns,
    /// Where nobody makes ids: two who both get on for three generations running are reported.
    ShadowReported,
    /// Nothing is repeated without ids when the grace is over.
    GraceEnds,
    /// One generation, one token.
    OneLineage,
    /// Nothing is handed out after an end of the session was acknowledged.
    RevocationWins,
    /// Nothing is handed out after the session's own end.
    ExpiryWins,
    /// Nothing is handed out after somebody was told that the session has expired, whatever the clock does.
    ToldStaysTold,
    /// Lost rotations are not healed in a session that is over.
    NoRevival,
    /// Without the key nobody gets anything, and nothing ends.
    BoundHolds,
    /// A returning used token ends what the policy says.
    EndsByPolicy,
}

impl Property {
    /// Its name, as it is printed.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NoAccident => "no accidental sign-out",
            Self::Progress => "progress stays reachable",
            Self::NoUnnoticedThief => "no unnoticed thief",
            Self::OwnersReturn => "the owner's return ends it",
            Self::NoShadowing => "no shadowing",
            Self::Turns => "turns are bounded",
            Self::ShadowReported => "shadowing is reported",
            Self::GraceEnds => "the grace ends",
            Self::OneLineage => "one lineage",
            Self::RevocationWins => "revocation wins",
            Self::ExpiryWins => "expiry wins",
            Self::ToldStaysTold => "expired stays expired",
            Self::NoRevival => "healing never revives",
            Self::BoundHolds => "a bound session needs its key",
            Self::EndsByPolicy => "reuse ends what the policy says",
        }
    }

    pub(crate) const fn bit(self) -> u16 {
        1 << self as u8
    }
}

/// The promises that were broken on the way to a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Broken(u16);

impl Broken {
    /// Notes that a promise is broken, if it is.
    pub(crate) fn note(&mut self, property: Property, broken: bool) {
        if broken {
            self.0 |= property.bit();
        }
    }

    /// Whether one of these was.
    pub(crate) const fn any(self, bits: u16) -> bool {
        self.0 & bits != 0
    }
}

#[cfg(test)]
impl Property {
    /// All that are declared.
    pub(crate) fn declared() -> impl Iterator<Item = Self> {
        std::iter::successors(Some(Self::NoAccident), |property| property.next())
    }

    /// The one that is declared next. Whoever adds one is stopped by the compiler here.
    const fn next(self) -> Option<Self> {
        Some(match self {
            Self::NoAccident => Self::Progress,
            Self::Progress => Self::NoUnnoticedThief,
            Self::NoUnnoticedThief => Self::OwnersReturn,
            Self::OwnersReturn => Self::NoShadowing,
            Self::NoShadowing => Self::Turns,
            Self::Turns => Self::ShadowReported,
            Self::ShadowReported => Self::GraceEnds,
            Self::GraceEnds => Self::OneLineage,
            Self::OneLineage => Self::RevocationWins,
            Self::RevocationWins => Self::ExpiryWins,
            Self::ExpiryWins => Self::ToldStaysTold,
            Self::ToldStaysTold => Self::NoRevival,
            Self::NoRevival => Self::BoundHolds,
            Self::BoundHolds => Self::EndsByPolicy,
            Self::EndsByPolicy => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_noted_apart_from_the_others() {
        for (position, property) in Property::declared().enumerate() {
            assert_eq!(property as usize, position, "{property:?} is out of its place in the list");
            let mut broken = Broken::default();
            broken.note(property, false);
            assert_eq!(broken, Broken::default());
            broken.note(property, true);
            let noted: Vec<_> = Property::declared().filter(|other| broken.any(other.bit())).collect();
            assert_eq!(noted, [property]);
        }
    }
}

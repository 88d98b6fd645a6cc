//! Which mutant shows where: the test of the model.

use crate::mutant::Mutant;
use crate::property::Property;
use crate::setting::Setting;
use crate::settings as s;

/// A rule that is broken, where that shows, and the promise that it breaks.
pub(crate) struct Planted {
    pub(crate) setting: Setting,
    pub(crate) breaks: Property,
}

/// Every mutant but [`Mutant::None`], some in several places.
pub(crate) fn all() -> Vec<Planted> {
    let plant = |mutant, setting, breaks| Planted { setting: Setting { mutant, ..setting }, breaks };
    vec![
        plant(Mutant::ProofIgnored, s::BOUND, Property::BoundHolds),
        plant(Mutant::EndIgnored, s::REVOKED, Property::RevocationWins),
        plant(Mutant::EndedHealed, s::REVOKED, Property::NoRevival),
        plant(Mutant::CutoffIgnored, s::TOKEN, Property::RevocationWins),
        plant(Mutant::IdleIgnored, s::CLOCK, Property::ExpiryWins),
        plant(Mutant::UsedRotates, s::TOKEN, Property::OneLineage),
        plant(Mutant::EndlessSession, s::CLOCK, Property::ExpiryWins),
        plant(Mutant::ExpiryForgotten, s::CLOCK, Property::ToldStaysTold),
        plant(Mutant::IdleAhead, s::CLOCK_AND_LOSS, Property::NoAccident),
        plant(Mutant::MismatchIgnored, s::TAB, Property::NoAccident),
        plant(Mutant::LabelsIgnored, s::TAB, Property::NoAccident),
        plant(Mutant::IdForgotten, s::ONE, Property::NoAccident),
        plant(Mutant::NoRepeat, s::ONE, Property::NoAccident),
        plant(Mutant::RepeatOnlyOne, s::TAB, Property::NoAccident),
        plant(Mutant::RepeatInGrace, Setting { time: s::PLAIN.time, ..s::ONE }, Property::NoAccident),
        plant(Mutant::RepeatWithNewKey, s::NEW_KEYS, Property::OneLineage),
        plant(Mutant::NoRepeatByKey, s::BOUND, Property::NoAccident),
        plant(Mutant::GraceForAll, s::TOKEN_AND_GRACE, Property::NoUnnoticedThief),
        plant(
            Mutant::GraceForAll,
            Setting { properties: &[Property::NoShadowing], ..s::TOKEN_AND_GRACE },
            Property::NoShadowing,
        ),
        plant(Mutant::NoGrace, s::PLAIN, Property::NoAccident),
        plant(Mutant::WideGrace, s::PLAIN_THIEF, Property::GraceEnds),
        plant(Mutant::GraceExtended, s::PLAIN_THIEF, Property::GraceEnds),
        plant(Mutant::GraceUncounted, s::PLAIN_THIEF, Property::ShadowReported),
        plant(Mutant::NoSuperseded, s::ONE, Property::NoAccident),
        plant(Mutant::SupersededRepeats, s::STORE, Property::Turns),
        plant(Mutant::ThreeRemembered, s::ONE, Property::NoAccident),
        plant(Mutant::ReuseOnlyRefused, s::TOKEN, Property::NoUnnoticedThief),
        plant(Mutant::ReuseEndsOne, s::TOKEN, Property::EndsByPolicy),
        plant(Mutant::NoHealing, s::ONE, Property::NoAccident),
        plant(Mutant::HealsOne, s::ONE, Property::NoAccident),
        plant(Mutant::HealsUnaligned, s::ONE, Property::NoAccident),
        plant(Mutant::HealsForgetting, s::ONE, Property::NoAccident),
        plant(Mutant::IdPerRequest, s::ONE, Property::NoAccident),
        plant(Mutant::IdWrittenLate, s::ONE, Property::NoAccident),
        plant(Mutant::NewestIdOnly, s::ONE, Property::NoAccident),
        plant(Mutant::NewestIdOnly, s::TAB, Property::Progress),
        plant(Mutant::BlindWrites, s::TWO, Property::NoAccident),
        plant(Mutant::StoresApart, s::TWO, Property::NoAccident),
        plant(Mutant::UnwrittenUsed, s::FULL_DISK, Property::NoAccident),
        plant(Mutant::SupersededBelieved, s::TWO, Property::NoAccident),
        plant(Mutant::SupersededForgotten, s::STORE, Property::OwnersReturn),
        plant(Mutant::SilenceBelieved, s::ONE, Property::NoAccident),
        plant(Mutant::TabsDisagree, s::TABS, Property::NoAccident),
        plant(Mutant::IdsNotDurable, s::TAB, Property::NoAccident),
        plant(Mutant::MismatchForgotten, s::TAB, Property::Progress),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::check::{Reach, check};
    use crate::limits;

    #[test]
    fn every_mutant_is_planted() {
        let planted = all();
        for (position, mutant) in Mutant::declared().enumerate() {
            assert_eq!(mutant as usize, position, "{mutant:?} is out of its place in the list");
            let is_planted = planted.iter().any(|planted| planted.setting.mutant == mutant);
            assert_eq!(is_planted, mutant != Mutant::None, "{mutant:?}");
        }
    }

    #[test]
    fn every_property_is_broken_by_something() {
        let mutants = all();
        let limits = limits::all();
        let broken = mutants.iter().map(|planted| planted.breaks).chain(limits.iter().map(|l| l.breaks));
        let broken: Vec<_> = broken.collect();
        let never: Vec<_> = Property::declared().filter(|property| !broken.contains(property)).collect();
        assert_eq!(never, []);
    }

    /// Otherwise it would be the setting that breaks it. Settings made for a mutant are looked at a hundred times
    /// farther than it takes to find that.
    #[test]
    fn what_breaks_holds_without_the_mutant() {
        let shipped = crate::suites::short();
        let same = |one: &Setting, other: &Setting| {
            let asked_nothing = |setting: &Setting| format!("{:?}", Setting { properties: &[], ..*setting });
            asked_nothing(one) == asked_nothing(other)
        };
        for Planted { setting, breaks } in all() {
            let unbroken = Setting { mutant: Mutant::None, ..setting };
            let is_checked =
                |shipped: &Setting| same(shipped, &unbroken) && shipped.properties.contains(&breaks);
            if !shipped.iter().any(is_checked) {
                let reach = Reach { states: Some(100_000), first: false };
                let outcome = check(&unbroken, reach, || Duration::ZERO);
                assert_eq!(outcome.broken, [], "{:?}: {}", setting.mutant, setting.name);
            }
        }
    }
}

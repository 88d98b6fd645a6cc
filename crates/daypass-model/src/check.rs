//! The model as the checker wants it, and one run of it.

use std::time::Duration;

use stateright::{Checker, HasDiscoveries, Model, Property as Checked};

use crate::property::Property;
use crate::recovery;
use crate::setting::Setting;
use crate::tally::Tally;
use crate::world::{Action, World};

/// A setting as a model.
struct Rotation(Setting);

impl Model for Rotation {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::first(&self.0)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        world.actions(&self.0, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        world.after(&self.0, action)
    }

    fn properties(&self) -> Vec<Checked<Self>> {
        self.0
            .properties
            .iter()
            .map(|property| Checked::always(property.name(), condition(*property)))
            .collect()
    }
}

fn unbroken<const BITS: u16>(_: &Rotation, world: &World) -> bool {
    !world.seen.broken.any(BITS)
}

/// What is asked of every state for a property.
fn condition(property: Property) -> fn(&Rotation, &World) -> bool {
    match property {
        Property::Progress => |model, world| recovery::gets_on(world, &model.0),
        Property::OwnersReturn => |model, world| recovery::is_noticed(world, &model.0),
        Property::NoAccident => unbroken::<{ Property::NoAccident.bit() }>,
        Property::NoUnnoticedThief => unbroken::<{ Property::NoUnnoticedThief.bit() }>,
        Property::NoShadowing => unbroken::<{ Property::NoShadowing.bit() }>,
        Property::Turns => unbroken::<{ Property::Turns.bit() }>,
        Property::ShadowReported => unbroken::<{ Property::ShadowReported.bit() }>,
        Property::GraceEnds => unbroken::<{ Property::GraceEnds.bit() }>,
        Property::OneLineage => unbroken::<{ Property::OneLineage.bit() }>,
        Property::RevocationWins => unbroken::<{ Property::RevocationWins.bit() }>,
        Property::ExpiryWins => unbroken::<{ Property::ExpiryWins.bit() }>,
        Property::ToldStaysTold => unbroken::<{ Property::ToldStaysTold.bit() }>,
        Property::NoRevival => unbroken::<{ Property::NoRevival.bit() }>,
        Property::BoundHolds => unbroken::<{ Property::BoundHolds.bit() }>,
        Property::EndsByPolicy => unbroken::<{ Property::EndsByPolicy.bit() }>,
    }
}

/// What a run has shown.
pub(crate) struct Outcome {
    /// Different states.
    pub(crate) states: usize,
    /// The longest of the shortest ways to a state, in steps.
    pub(crate) depth: usize,
    /// Whether there was nothing left to look at.
    pub(crate) exhausted: bool,
    pub(crate) took: Duration,
    /// The promises that do not hold, and for each how that comes about.
    pub(crate) broken: Vec<(&'static str, Vec<String>)>,
    pub(crate) answers: [u64; 12],
    pub(crate) turns: [u8; 3],
}

/// How far to look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// The most steps between states to follow, if that is limited.
    pub(crate) states: Option<usize>,
    /// Whether to stop at the first promise that does not hold.
    pub(crate) first: bool,
}

/// Looks at every state of a setting.
pub(crate) fn check(setting: &Setting, reach: Reach, now: impl Fn() -> Duration) -> Outcome {
    let began = now();
    // The checker's threads may outlive this call; a few bytes for each run do no harm.
    let tally: &Tally = Box::leak(Box::default());
    let model = Rotation(Setting { tally: Some(tally), ..*setting });
    let mut checker = model.checker(); // One thread: only so it goes by breadth.
    if reach.first {
        checker = checker.finish_when(HasDiscoveries::Any);
    }
    if let Some(states) = reach.states {
        checker = checker.target_state_count(states);
    }
    let checker = checker.spawn_bfs().join();
    let discoveries = checker.discoveries();
    let broken = discoveries.into_iter().map(|(name, path)| {
        let last = format!("{:?}", path.last_state());
        let steps = path.into_actions().into_iter().map(|action| format!("{action:?}")).chain([last]);
        (name, steps.collect())
    });
    let mut broken: Vec<_> = broken.collect();
    broken.sort();
    Outcome {
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        exhausted: checker.is_done() && reach.states.is_none_or(|limit| checker.state_count() < limit),
        took: now().saturating_sub(began),
        broken,
        answers: tally.answers(),
        turns: tally.most_turns(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutant::Mutant;
    use crate::settings::{BOUND, PLAIN};

    fn run(setting: Setting, reach: Reach) -> Outcome {
        check(&setting, reach, || Duration::ZERO)
    }

    #[test]
    fn a_small_setting_is_exhausted_and_holds() {
        let outcome = run(BOUND, Reach { states: None, first: false });
        assert!(outcome.exhausted);
        assert_eq!(outcome.broken, []);
        assert!(outcome.states > 100, "{} states", outcome.states);
        let proof_required = outcome.answers[10];
        assert!(proof_required > 0, "the thief never came");
    }

    #[test]
    fn a_mutant_is_found_with_the_way_there() {
        let setting = Setting { mutant: Mutant::ProofIgnored, properties: &[Property::BoundHolds], ..BOUND };
        let outcome = run(setting, Reach { states: None, first: true });
        let [(name, steps)] = outcome.broken.as_slice() else { panic!("{:?}", outcome.broken) };
        assert_eq!(*name, Property::BoundHolds.name());
        assert!(steps.iter().any(|step| step.contains("Present")), "{steps:?}");
    }

    #[test]
    fn what_is_cut_short_is_not_called_exhausted() {
        let outcome = run(PLAIN, Reach { states: Some(50), first: false });
        assert!(!outcome.exhausted);
    }
}

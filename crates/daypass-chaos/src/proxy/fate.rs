//! What befalls a request, as the seed has it.

use std::time::Duration;

use daypass_chaos::dice::Dice;

/// Each of the eight faults befalls so many of a thousand renewals.
const RATE: u64 = 18;

/// Each of the light ones befalls so many of a thousand sign-ins and sign-outs.
const LIGHT_RATE: u64 = 60;

/// What befalls a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing.
    Pass,
    /// It never arrives. The client notices, or waits for as long as it pleases.
    LoseRequest { noticed: bool },
    /// It arrives, the answer does not.
    LoseAnswer { noticed: bool },
    /// It arrives late.
    DelayRequest(Duration),
    /// The answer arrives late.
    DelayAnswer(Duration),
    /// It arrives, and once more when the session has gone on by so many generations, or after so long.
    Twice { ahead: u32, at_most: Duration },
    /// Half of it arrives.
    CutRequest,
    /// Half of the answer arrives.
    CutAnswer,
    /// The connection is reset, before the request was delivered or after.
    Reset { delivered: bool },
}

impl Fate {
    /// What befalls a renewal.
    pub(crate) fn of_renewal(dice: &Dice) -> Self {
        match dice.below(1000) / RATE {
            0 => Self::LoseRequest { noticed: !dice.chance(200) },
            1 => Self::LoseAnswer { noticed: !dice.chance(200) },
            2 => Self::DelayRequest(delay(dice)),
            3 => Self::DelayAnswer(delay(dice)),
            4 => {
                let ahead = u32::try_from(dice.below(5)).unwrap_or_default();
                Self::Twice { ahead, at_most: dice.millis(1, 400) }
            }
            5 => Self::CutRequest,
            6 => Self::CutAnswer,
            7 => Self::Reset { delivered: dice.chance(500) },
            _ => Self::Pass,
        }
    }

    /// What befalls a sign-in, which nobody repeats but the person, or a sign-out.
    pub(crate) fn of_sign_in(dice: &Dice) -> Self {
        match dice.below(1000) / LIGHT_RATE {
            0 => Self::LoseRequest { noticed: true },
            1 => Self::LoseAnswer { noticed: true },
            2 => Self::DelayAnswer(dice.millis(1, 30)),
            _ => Self::Pass,
        }
    }
}

/// Mostly shorter than a client waits for an answer, and sometimes longer.
fn delay(dice: &Dice) -> Duration {
    if dice.chance(200) { dice.millis(30, 450) } else { dice.millis(1, 30) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(fate: Fate) -> String {
        let text = format!("{fate:?}");
        text.split([' ', '(']).next().unwrap_or_default().to_owned()
    }

    #[test]
    fn every_fault_befalls_renewals_and_most_pass() {
        let dice = Dice::new(1, 0);
        let fates: Vec<_> = (0..5000).map(|_| name(Fate::of_renewal(&dice))).collect();
        let kinds: std::collections::BTreeSet<_> = fates.iter().collect();
        assert_eq!(kinds.len(), 9);
        let passed = fates.iter().filter(|fate| *fate == "Pass").count();
        assert!((4000..4500).contains(&passed), "{passed}");
    }

    #[test]
    fn sign_ins_meet_with_light_faults_only() {
        let dice = Dice::new(1, 0);
        let kinds: std::collections::BTreeSet<_> = (0..500).map(|_| name(Fate::of_sign_in(&dice))).collect();
        let kinds: Vec<_> = kinds.iter().map(String::as_str).collect();
        assert_eq!(kinds, ["DelayAnswer", "LoseAnswer", "LoseRequest", "Pass"]);
    }
}

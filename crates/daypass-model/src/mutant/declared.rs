//! Every mutant that there is.

use super::Mutant;

impl Mutant {
    /// All that are declared, with [`Self::None`] first.
    pub(crate) fn declared() -> impl Iterator<Item = Self> {
        std::iter::successors(Some(Self::None), |mutant| mutant.next())
    }

    /// The one that is declared next. Whoever adds one is stopped by the compiler here.
    const fn next(self) -> Option<Self> {
        Some(match self {
            Self::None => Self::ProofIgnored,
            Self::ProofIgnored => Self::EndIgnored,
            Self::EndIgnored => Self::EndedHealed,
            Self::EndedHealed => Self::CutoffIgnored,
            Self::CutoffIgnored => Self::IdleIgnored,
            Self::IdleIgnored => Self::EndlessSession,
            Self::EndlessSession => Self::ExpiryForgotten,
            Self::ExpiryForgotten => Self::IdleAhead,
            Self::IdleAhead => Self::MismatchIgnored,
            Self::MismatchIgnored => Self::LabelsIgnored,
            Self::LabelsIgnored => Self::IdForgotten,
            Self::IdForgotten => Self::NoRepeat,
            Self::NoRepeat => Self::RepeatOnlyOne,
            Self::RepeatOnlyOne => Self::RepeatInGrace,
            Self::RepeatInGrace => Self::RepeatWithNewKey,
            Self::RepeatWithNewKey => Self::NoRepeatByKey,
            Self::NoRepeatByKey => Self::GraceForAll,
            Self::GraceForAll => Self::NoGrace,
            Self::NoGrace => Self::WideGrace,
            Self::WideGrace => Self::GraceExtended,
            Self::GraceExtended => Self::GraceUncounted,
            Self::GraceUncounted => Self::NoSuperseded,
            Self::NoSuperseded => Self::SupersededRepeats,
            Self::SupersededRepeats => Self::ThreeRemembered,
            Self::ThreeRemembered => Self::UsedRotates,
            Self::UsedRotates => Self::ReuseOnlyRefused,
            Self::ReuseOnlyRefused => Self::ReuseEndsOne,
            Self::ReuseEndsOne => Self::NoHealing,
            Self::NoHealing => Self::HealsOne,
            Self::HealsOne => Self::HealsUnaligned,
            Self::HealsUnaligned => Self::HealsForgetting,
            Self::HealsForgetting => Self::IdPerRequest,
            Self::IdPerRequest => Self::IdWrittenLate,
            Self::IdWrittenLate => Self::NewestIdOnly,
            Self::NewestIdOnly => Self::BlindWrites,
            Self::BlindWrites => Self::StoresApart,
            Self::StoresApart => Self::UnwrittenUsed,
            Self::UnwrittenUsed => Self::SupersededBelieved,
            Self::SupersededBelieved => Self::SupersededForgotten,
            Self::SupersededForgotten => Self::SilenceBelieved,
            Self::SilenceBelieved => Self::TabsDisagree,
            Self::TabsDisagree => Self::IdsNotDurable,
            Self::IdsNotDurable => Self::MismatchForgotten,
            Self::MismatchForgotten => return None,
        })
    }
}

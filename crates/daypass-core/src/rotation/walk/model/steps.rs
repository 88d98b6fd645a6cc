//! What may happen to a session, how likely, and what the account makes of it.

use std::time::Duration;

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use super::{Account, Asked, BEGINNING, HolderIds, Model, Setting, id};
use crate::client::{OnReuse, Policy};
use crate::revocation::EndingReason;

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The clock moves, perhaps backwards.
    Wait(i64),
    /// The holder presents the newest token it has received, listing as many of its earlier ids.
    /// Whether the answer gets lost.
    Renew {
        earlier: u32,
        lost: bool,
    },
    /// One of the holder's requests, `back` requests ago, is delivered once more; the answer goes
    /// nowhere.
    Late {
        back: usize,
    },
    /// The thief copies the holder's token.
    Steal,
    /// The thief presents its token; with ids of its own, or none.
    Rob {
        with_ids: bool,
    },
    /// Somebody presents a token `off` the current one, with ids of these makers for it and those
    /// before it: 0 none, 1 the holder, 2 the thief, 3 anybody.
    Any {
        off: i64,
        makers: [u8; 4],
        shift: u32,
        proof: bool,
    },
    /// The service takes a new secret for its refresh tokens.
    NewSecret,
    /// The store loses its last rotations.
    LoseCommits(usize),
    End(EndingReason),
    CutOff(EndingReason),
    Disable,
    Enable,
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let grace = prop_oneof![Just(0), Just(10_000)].prop_map(Duration::from_millis);
        let idle = prop_oneof![3 => Just(None), 1 => Just(Some(Duration::from_mins(1)))];
        let session = prop_oneof![2 => Just(None), 1 => Just(Some(Duration::from_secs(200)))];
        let on_reuse = prop_oneof![Just(OnReuse::Subject), Just(OnReuse::Session)];
        let policy = (session, idle, grace, on_reuse).prop_map(|(session, idle, grace, on_reuse)| Policy {
            session,
            idle,
            grace,
            on_reuse,
            ..Policy::DEFAULT
        });
        let ids = prop_oneof![Just(HolderIds::None), Just(HolderIds::Some), Just(HolderIds::All)];
        let flags = [0.25, 0.6].map(prop::bool::weighted);
        (policy, ids, flags)
            .prop_map(|(policy, ids, [bound, thieves])| Self {
                setting: Setting { policy, bound, ids, thieves },
                now: BEGINNING,
                account: Account { seen: BEGINNING, ..Account::default() },
                earlier: Vec::new(),
                ended: None,
                cut_off: None,
                disabled: false,
                secret: 0,
                held: 0,
                sent: Vec::new(),
                stolen: None,
                only_the_holder: true,
                bereft: false,
                last: None,
            })
            .boxed()
    }

    fn transitions(model: &Self) -> BoxedStrategy<Step> {
        let boundary = prop_oneof![Just(10_000), Just(10_001), Just(60_000), Just(60_001), Just(-1), Just(1)];
        let wait = prop_oneof![3 => 0..4_000_i64, 2 => boundary, 1 => -20_000..0_i64];
        let honest = prop_oneof![
            8 => (0..4_u32, prop::bool::weighted(0.3)).prop_map(|(earlier, lost)| Step::Renew { earlier, lost }),
            4 => wait.prop_map(Step::Wait),
            3 => (0..6_usize).prop_map(|back| Step::Late { back }),
            1 => Just(Step::NewSecret),
            1 => (1..8_usize).prop_map(Step::LoseCommits),
        ];
        if !model.setting.thieves {
            return honest.boxed();
        }
        let off = prop_oneof![4 => -6..3_i64, 1 => 3..19_i64];
        let anything = (off, prop::array::uniform4(0..4_u8), 0..2_u32, prop::bool::weighted(0.8));
        let why = prop_oneof![Just(EndingReason::SignedOut), Just(EndingReason::Revoked)];
        prop_oneof![
            12 => honest,
            2 => Just(Step::Steal),
            2 => any::<bool>().prop_map(|with_ids| Step::Rob { with_ids }),
            3 => anything.prop_map(|(off, makers, shift, proof)| Step::Any { off, makers, shift, proof }),
            1 => prop_oneof![
                why.clone().prop_map(Step::End),
                why.prop_map(Step::CutOff),
                Just(Step::Disable),
                Just(Step::Enable),
            ],
        ]
        .boxed()
    }

    fn preconditions(model: &Self, step: &Step) -> bool {
        match step {
            // The network may keep a request for less than four rotations.
            Step::Late { back } => model.sent.iter().rev().nth(*back).is_some_and(|asked| {
                model.setting.ids != HolderIds::None && model.generation().saturating_sub(asked.token) <= 4
            }),
            Step::LoseCommits(count) => *count <= model.may_lose(),
            Step::Rob { .. } => model.stolen.is_some(),
            Step::Any { off, .. } => i64::from(model.generation()) + off >= 3,
            // Ended as something else once, a session is not ended again.
            Step::End(_) => model.ended.is_none(),
            _ => true,
        }
    }

    fn apply(mut model: Self, step: &Step) -> Self {
        model.happens(step);
        model
    }
}

impl Model {
    fn happens(&mut self, step: &Step) {
        let secret = self.secret;
        match step {
            Step::Wait(by) => self.now = (self.now + by).max(BEGINNING),
            Step::NewSecret => self.secret = (self.secret + 1) % 8,
            Step::Renew { earlier, lost } => {
                let earlier = if self.setting.ids == HolderIds::All { 3 } else { *earlier };
                let oldest = self.held.saturating_sub(earlier);
                let ids = (oldest..=self.held).rev().map(|of| (of, id(1, of)));
                let ids = ids.filter(|_| self.setting.ids != HolderIds::None).collect();
                let asked = Asked { token: self.held, ids, proof: true, secret };
                self.sent.push(asked.clone());
                let received = Self::handed_out(self.ask(asked)).filter(|_| !lost);
                self.held = received.unwrap_or(self.held);
            }
            Step::Late { back } => {
                let asked = self.sent.iter().rev().nth(*back).cloned().unwrap();
                self.ask(Asked { secret, ..asked });
            }
            Step::Steal => self.stolen = Some(self.held),
            Step::Rob { with_ids } => {
                self.only_the_holder = false;
                let token = self.stolen.unwrap();
                let ids = if *with_ids { vec![(token, id(2, token))] } else { Vec::new() };
                let answer = self.ask(Asked { token, ids, proof: false, secret });
                self.stolen = Self::handed_out(answer).or(self.stolen);
            }
            Step::Any { off, makers, shift, proof } => {
                self.only_the_holder = false;
                let token = u32::try_from(i64::from(self.generation()) + off).unwrap();
                let labels = (0..=token + shift).rev().zip(makers);
                let ids = labels.filter(|(_, maker)| **maker > 0).map(|(of, maker)| (of, id(*maker, of)));
                let ids = ids.collect();
                self.ask(Asked { token, ids, proof: *proof, secret });
            }
            Step::LoseCommits(count) => {
                self.bereft = true;
                let mut lost = self.earlier.split_off(self.earlier.len() - count);
                self.account = lost.swap_remove(0);
            }
            Step::End(why) => self.ended = Some(*why),
            Step::CutOff(why) => self.cut_off_for(*why),
            Step::Disable => {
                self.disabled = true;
                self.cut_off_for(EndingReason::Disabled);
            }
            Step::Enable => self.disabled = false,
        }
    }
}

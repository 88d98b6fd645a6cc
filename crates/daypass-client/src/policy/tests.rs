//! The rule by its boundaries.

use proptest::prelude::*;

use super::*;

const MIDDLE: Jitter = Jitter(u16::MAX / 2 + 1);

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn life(lifetime: u64, refresh_in: Option<u64>) -> Life {
    Life {
        lifetime: Duration::from_secs(lifetime),
        refresh_in: refresh_in.map(Duration::from_secs),
        jitter: MIDDLE,
    }
}

#[test]
fn leads_follow_the_lifetime() {
    use Need::{Fresh, RenewBehind, Wait};
    let cases = [
        // Ten minutes: one minute, ten seconds.
        (600, None, 0.0, Fresh),
        (600, None, 539.9, Fresh),
        (600, None, 540.1, RenewBehind),
        (600, None, 589.9, RenewBehind),
        (600, None, 590.0, Wait),
        (600, None, 600.0, Wait),
        (600, None, 1e9, Wait),
        // Twenty seconds: four, one.
        (20, None, 15.9, Fresh),
        (20, None, 16.1, RenewBehind),
        (20, None, 18.9, RenewBehind),
        (20, None, 19.0, Wait),
        // One second: a fifth, a twentieth.
        (1, None, 0.79, Fresh),
        (1, None, 0.81, RenewBehind),
        (1, None, 0.95, Wait),
        // What the service says replaces the soft lead only, and not the least age.
        (600, Some(400), 399.9, Fresh),
        (600, Some(400), 400.0, RenewBehind),
        (600, Some(595), 589.9, Fresh),
        (600, Some(595), 590.0, Wait),
        (600, Some(0), 29.9, Fresh),
        (600, Some(0), 30.0, RenewBehind),
        (20, Some(1), 4.9, Fresh),
        (20, Some(1), 5.0, RenewBehind),
        (0, None, 0.0, Wait),
    ];
    for (lifetime, refresh_in, age, expected) in cases {
        let need = life(lifetime, refresh_in).need(seconds(age), None);
        assert_eq!(need, expected, "{lifetime} {refresh_in:?} at {age}");
    }
}

#[test]
fn nothing_is_renewed_ahead_if_the_session_ends_first() {
    let life = life(600, Some(400));
    for (age, session_left, expected) in [
        (500.0, 100.0, Need::Fresh),
        (500.0, 101.0, Need::Fresh),
        (500.0, 0.0, Need::Fresh),
        (500.0, 101.1, Need::RenewBehind),
        (595.0, 5.0, Need::Fresh),
        (595.0, 6.1, Need::Wait),
        (600.0, 0.0, Need::Wait),
    ] {
        let need = life.need(seconds(age), Some(seconds(session_left)));
        assert_eq!(need, expected, "{age} {session_left}");
    }
}

#[test]
fn a_young_token_is_not_renewed_even_when_refused() {
    for (lifetime, least) in [(600, 10.0), (40, 10.0), (20, 5.0), (1, 0.25)] {
        let life = life(lifetime, None);
        assert!(life.too_young_to_be_refused(Duration::ZERO));
        assert!(life.too_young_to_be_refused(seconds(least - 0.01)));
        assert!(!life.too_young_to_be_refused(seconds(least)));
    }
}

#[test]
fn s24_renewals_of_a_thousand_sign_ins_in_one_second_are_spread() {
    let at = |random: u16| Life { jitter: Jitter::new(random), ..life(600, None) }.renewed_at().as_secs_f64();
    assert!((at(0) - 555.0).abs() < 0.01);
    assert!((at(u16::MAX) - 525.0).abs() < 0.01);
    let entropy = daypass_ambient::SeededEntropy::new(24);
    let mut in_each_second = [0; 31];
    for _ in 0..1000 {
        let mut random = [0; 2];
        daypass_ambient::Entropy::fill(&entropy, &mut random).unwrap();
        let after = Duration::from_secs_f64(at(u16::from_le_bytes(random)) - 525.0);
        in_each_second[usize::try_from(after.as_secs()).unwrap()] += 1;
    }
    // A thousand over thirty seconds.
    assert!(in_each_second.iter().all(|n| *n < 70), "{in_each_second:?}");
}

#[test]
fn either_clock_expires_a_token_and_one_that_stands_before_it_says_nothing() {
    let at = |wall: u64, running: u64| Moment {
        wall: Duration::from_secs(wall),
        running: Duration::from_secs(running),
    };
    let here = Asked::Here(at(1000, 50));
    for (now, age) in
        [(at(1000, 50), 0), (at(1010, 60), 10), (at(4600, 60), 3600), (at(1000, 3650), 3600), (at(0, 60), 10)]
    {
        assert_eq!((here.age(now).as_secs(), here.is_sure(now)), (age, true), "{now:?}");
    }
    let before = Asked::Before { wall: Duration::from_mins(15), read: at(1000, 50) };
    assert_eq!((before.age(at(1000, 50)).as_secs(), before.is_sure(at(1000, 50))), (100, true));
    assert_eq!((before.age(at(500, 60)).as_secs(), before.is_sure(at(500, 60))), (10, false));
    let ahead = Asked::Before { wall: Duration::from_secs(4600), read: at(1000, 50) };
    assert_eq!((ahead.age(at(1010, 60)).as_secs(), ahead.is_sure(at(1010, 60))), (10, false));
    assert!(!ahead.is_sure(at(5000, 60)), "whatever the clock is set to since");
}

proptest! {
    #[test]
    fn any_numbers_will_do(lifetime: u64, refresh_in: Option<u64>, random: u16, age: u64, left: Option<u64>) {
        let life = Life { jitter: Jitter::new(random), ..life(lifetime, refresh_in) };
        let age = Duration::from_secs(age);
        let need = life.need(age, left.map(Duration::from_secs));
        prop_assert_eq!(need == Need::Wait || age < life.lifetime, true);
        prop_assert!(age >= life.lifetime / 4 || need == Need::Fresh || age >= Duration::from_secs(30));
        let _ = life.too_young_to_be_refused(age);
    }
}

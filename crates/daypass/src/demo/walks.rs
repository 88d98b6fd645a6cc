//! The five walks: sign in, call, expire and renew, lose, steal. Each step checks what it was promised and stops the
//! demo when it came out otherwise.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::actor::{Actor, expect, verdict};
use super::narrator::Narrator;
use super::{DemoError, DemoService};
use crate::wire::Target;

/// Between two looks whether an access token is refused yet.
const LOOK: Duration = Duration::from_millis(200);
/// How much longer than its life a token may be accepted: the verifier's leeway, and a slow machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Plays all of them.
pub(crate) async fn play(story: &mut Narrator<'_>, service: &DemoService) -> Result<(), DemoError> {
    let target: Target = service.hosted.base_url.parse()?;
    let mut laptop = sign_in(story, service, &target).await?;
    call(story, &mut laptop).await?;
    expire_and_renew(story, service, &mut laptop).await?;
    lose(story, &mut laptop).await?;
    steal(story, service, &target, laptop).await
}

async fn sign_in(
    story: &mut Narrator<'_>,
    service: &DemoService,
    target: &Target,
) -> Result<Actor, DemoError> {
    story.walk(1, "Sign in")?;
    story.say("Ada shows her password once and gets two tokens: one to call with, one to renew with.")?;
    Actor::sign_in(story, "laptop", target, &service.ada).await
}

async fn call(story: &mut Narrator<'_>, laptop: &mut Actor) -> Result<(), DemoError> {
    story.walk(2, "Call")?;
    story.say("Every call carries the access token. Whoever serves it can check the token by itself.")?;
    let answer = laptop.call(story).await?;
    expect(story, "the call is served", "200", &verdict(&answer))
}

async fn expire_and_renew(
    story: &mut Narrator<'_>,
    service: &DemoService,
    laptop: &mut Actor,
) -> Result<(), DemoError> {
    story.walk(3, "Expire, be refused, renew")?;
    let life = service.access_life.as_secs_f64();
    story.say(&format!(
        "An access token lives {life} s here. The laptop keeps calling until it is refused …"
    ))?;
    let (start, mut served) = (Instant::now(), 0_u32);
    let refused = loop {
        let answer = laptop.call_quietly(story).await?;
        if !answer.status.is_success() || start.elapsed() > service.access_life + PATIENCE {
            break answer;
        }
        served += 1;
        sleep(LOOK).await;
    };
    story
        .say(&format!("… which happened {:.1} s and {served} calls later:", start.elapsed().as_secs_f64()))?;
    laptop.tell_call(story, &refused)?;
    expect(story, "the token is refused, and the answer says why", "401 expired", &verdict(&refused))?;
    story.say("Now the refresh token has its turn. It works once; the answer brings the next one.")?;
    laptop.renew(story, "the pair is renewed without a password").await?;
    let answer = laptop.call(story).await?;
    expect(story, "the call is served again", "200", &verdict(&answer))
}

async fn lose(story: &mut Narrator<'_>, laptop: &mut Actor) -> Result<(), DemoError> {
    story.walk(4, "Lose an answer, and carry on")?;
    story.say(
        "The laptop renews and loses its connection before it has read a byte of the answer. \
         The service has rotated; the laptop still holds the old token, which is used up.",
    )?;
    laptop.present_and_vanish(story).await?;
    story.say("It repeats itself: the same token under the same attempt id, which only the laptop knows.")?;
    let first = laptop.present(story).await?;
    expect(story, "the service recognises who retries", "200", &verdict(&first))?;
    let first = laptop.successor(story, &first)?;
    story.say("And once more, as a second tab would:")?;
    let second = laptop.present(story).await?;
    expect(story, "and again", "200", &verdict(&second))?;
    let second = laptop.successor(story, &second)?;
    let same = if first.0.text() == second.0.text() { "the same" } else { "another" };
    expect(story, "byte for byte the same refresh token both times", "the same", same)?;
    laptop.hold(second);
    let answer = laptop.call(story).await?;
    expect(story, "the new access token is good", "200", &verdict(&answer))?;
    laptop.renew(story, "and so is the new refresh token: nobody was signed out").await
}

async fn steal(
    story: &mut Narrator<'_>,
    service: &DemoService,
    target: &Target,
    mut laptop: Actor,
) -> Result<(), DemoError> {
    story.walk(5, "Steal, and be noticed")?;
    story.say("Ben signs in too, and Ada on her phone: she has two sessions now.")?;
    let mut ben = Actor::sign_in(story, "ben", target, &service.ben).await?;
    let mut phone = Actor::sign_in(story, "phone", target, &service.ada).await?;
    laptop.renew(story, "the laptop renews once more, so that no token is refused for its age").await?;

    story.say("A thief copies the laptop's refresh token and is the first to use it.")?;
    let mut thief = laptop.robbed_by("thief", target);
    thief.renew(story, "nothing tells the thief from the laptop yet").await?;
    for somebody in [&mut thief, &mut laptop, &mut phone] {
        let answer = somebody.call_quietly(story).await?;
        expect(story, &format!("{}: the call is served", somebody.name()), "200", &verdict(&answer))?;
    }

    story.say(
        "Then the laptop renews, with the same token and an attempt id of its own. That cannot both be Ada.",
    )?;
    let answer = laptop.present(story).await?;
    expect(story, "the theft is noticed", "400 invalid_grant reused", &verdict(&answer))?;
    all_dead(story, &mut laptop, &mut phone, &mut thief).await?;
    others_live(story, service, target, &mut ben).await
}

async fn all_dead(
    story: &mut Narrator<'_>,
    laptop: &mut Actor,
    phone: &mut Actor,
    thief: &mut Actor,
) -> Result<(), DemoError> {
    story.say("All of Ada's sessions have ended, with every token of theirs. Access tokens first, none of them old:")?;
    for somebody in [&mut *thief, laptop, &mut *phone] {
        let answer = somebody.call(story).await?;
        let promise = format!("{}: the access token is dead", somebody.name());
        expect(story, &promise, "401", &verdict(&answer))?;
    }
    story.say("And the refresh tokens that nobody had used yet:")?;
    for somebody in [thief, phone] {
        let answer = somebody.present(story).await?;
        let came = verdict(&answer);
        // Whether the reason is `reused` or `revoked` is the service's choice.
        let came = came.trim_end_matches(" reused").trim_end_matches(" revoked");
        let promise = format!("{}: the refresh token is dead", somebody.name());
        expect(story, &promise, "400 invalid_grant", came)?;
    }
    Ok(())
}

async fn others_live(
    story: &mut Narrator<'_>,
    service: &DemoService,
    target: &Target,
    ben: &mut Actor,
) -> Result<(), DemoError> {
    story.say("Ben has noticed nothing:")?;
    ben.renew(story, "his refresh token is good").await?;
    let answer = ben.call(story).await?;
    expect(story, "his calls are served", "200", &verdict(&answer))?;
    story.say("And Ada signs in again:")?;
    let mut laptop = Actor::sign_in(story, "laptop", target, &service.ada).await?;
    let answer = laptop.call(story).await?;
    expect(story, "she is back, and the thief is not", "200", &verdict(&answer))
}

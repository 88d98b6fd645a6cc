//! The walks: sign in, call, expire and renew, renew once for many, lose, steal. Each step checks what it was promised
//! and stops the demo when it came out otherwise.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::actor::{Actor, HELLO, Targets, expect, verdict};
use super::crowd::{CALLS, Program, renewals};
use super::narrator::Narrator;
use super::{DemoError, DemoService};
use crate::wire::{Answer, Wire, WireError};

/// Between two looks whether an access token is refused for its age yet.
const LOOK: Duration = Duration::from_millis(200);
/// Between two looks whether it is refused for the end of its session.
const QUICK_LOOK: Duration = Duration::from_millis(10);

/// Plays all of them.
pub(crate) async fn play(story: &mut Narrator<'_>, service: &DemoService) -> Result<(), DemoError> {
    let targets = Targets { service: service.hosted.base_url.parse()?, api: service.api.base_url.parse()? };
    let mut laptop = sign_in(story, service, &targets).await?;
    call(story, &mut laptop).await?;
    expire_and_renew(story, service, &mut laptop).await?;
    renew_once_for_many(story, service, &targets).await?;
    lose(story, &mut laptop).await?;
    steal(story, service, &targets, laptop).await
}

async fn sign_in(
    story: &mut Narrator<'_>,
    service: &DemoService,
    targets: &Targets,
) -> Result<Actor, DemoError> {
    story.walk(1, "Sign in")?;
    story.say("Ada shows her password once and gets two tokens: one to call with, one to renew with.")?;
    Actor::sign_in(story, "laptop", targets, &service.ada).await
}

async fn call(story: &mut Narrator<'_>, laptop: &mut Actor) -> Result<(), DemoError> {
    story.walk(2, "Call")?;
    story.say(
        "Every call carries the access token. Whoever serves it checks the token by itself: the API has the \
         service's public keys and asks nobody.",
    )?;
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
        if !answer.status.is_success() || start.elapsed() > service.access_life + service.patience {
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

async fn renew_once_for_many(
    story: &mut Narrator<'_>,
    service: &DemoService,
    targets: &Targets,
) -> Result<(), DemoError> {
    story.walk(4, "Two hundred calls, one renewal")?;
    story.say(
        "A program of Ada's signs in through the Rust client, daypass-client, and calls the API through it.",
    )?;
    let program = Program::sign_in(&service.hosted.base_url, &service.api.base_url, &service.ada).await?;
    expect(story, "the program's first call is served", "200", &program.call().await)?;
    story.say("Then it rests until its access token, shown to the API as it is, is refused.")?;
    let refused = outlive(story, service, targets, program.access_token().await?.expose()).await?;
    expect(story, "the API says that it has expired", "401 expired", &verdict(&refused))?;

    story.say(&format!("Now it makes {CALLS} calls at once, and all of them need a new access token."))?;
    let before = counted(story, renewals(targets).await)?;
    let outcomes = program.call_at_once().await;
    let came: Vec<String> = outcomes.iter().map(|(outcome, count)| format!("{count} × {outcome}")).collect();
    expect(story, &format!("all {CALLS} calls are served"), &format!("{CALLS} × 200"), &came.join(", "))?;
    let renewed = counted(story, renewals(targets).await)?.saturating_sub(before);
    expect(story, "the service has counted one renewal", "1", &renewed.to_string())?;
    program.sign_out().await?;
    Ok(story.kept("the program has signed out")?)
}

/// Calls the API with this token, again and again, until it is refused.
async fn outlive(
    story: &mut Narrator<'_>,
    service: &DemoService,
    targets: &Targets,
    token: &str,
) -> Result<Answer, DemoError> {
    let (mut api, bearer, start) =
        (Wire::new(targets.api.clone()), format!("Bearer {token}"), Instant::now());
    loop {
        let answer = match api.get(HELLO, &[("authorization", &bearer)]).await {
            Ok(answer) => answer,
            Err(failure) => return Err(unanswered(story, &failure)?),
        };
        if !answer.status.is_success() || start.elapsed() > service.access_life + service.patience {
            return Ok(answer);
        }
        sleep(LOOK).await;
    }
}

fn counted(story: &mut Narrator<'_>, count: Result<Option<u64>, WireError>) -> Result<u64, DemoError> {
    match count {
        Ok(Some(count)) => Ok(count),
        Ok(None) => {
            story.broken("the service counts renewals", "daypass_refresh_total", "nothing of that name")?;
            Err(DemoError::Broken)
        }
        Err(failure) => Err(unanswered(story, &failure)?),
    }
}

fn unanswered(story: &mut Narrator<'_>, failure: &WireError) -> Result<DemoError, DemoError> {
    story.broken("the call is answered", "an answer", &failure.to_string())?;
    Ok(DemoError::Broken)
}

async fn lose(story: &mut Narrator<'_>, laptop: &mut Actor) -> Result<(), DemoError> {
    story.walk(5, "Lose an answer, and carry on")?;
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
    targets: &Targets,
    mut laptop: Actor,
) -> Result<(), DemoError> {
    story.walk(6, "Steal, and be noticed")?;
    story.say("Ben signs in too, and Ada on her phone: she has two sessions now.")?;
    let mut ben = Actor::sign_in(story, "ben", targets, &service.ben).await?;
    let mut phone = Actor::sign_in(story, "phone", targets, &service.ada).await?;
    laptop.renew(story, "the laptop renews once more, so that no token is refused for its age").await?;

    story.say("A thief copies the laptop's refresh token and is the first to use it.")?;
    let mut thief = laptop.robbed_by("thief", targets);
    thief.renew(story, "nothing tells the thief from the laptop yet").await?;
    for somebody in [&mut thief, &mut laptop, &mut phone] {
        let answer = somebody.call_quietly(story).await?;
        let promise = format!("{}: the call is served by the API", somebody.name());
        expect(story, &promise, "200", &verdict(&answer))?;
    }

    story.say(
        "Then the laptop renews, with the same token and an attempt id of its own. That cannot both be Ada.",
    )?;
    let answer = laptop.present(story).await?;
    let noticed = Instant::now();
    expect(story, "the theft is noticed", "400 invalid_grant reused", &verdict(&answer))?;
    service_refuses(story, [&mut thief, &mut laptop, &mut phone]).await?;
    api_refuses(story, service, noticed, [&mut thief, &mut laptop, &mut phone]).await?;
    let answer = ben.call_quietly(story).await?;
    expect(story, "ben: the call is served by the API", "200", &verdict(&answer))?;
    refresh_tokens_die(story, [&mut thief, &mut phone]).await?;
    others_live(story, service, targets, &mut ben).await
}

/// It looks at the session of every access token that it is shown.
async fn service_refuses(story: &mut Narrator<'_>, robbed: [&mut Actor; 3]) -> Result<(), DemoError> {
    story.say(
        "All of Ada's sessions have ended, with every token of theirs. Access tokens first, none of them old. \
         The service refuses them at once:",
    )?;
    for somebody in robbed {
        let answer = somebody.ask_who(story).await?;
        let promise = format!("{}: the access token is dead", somebody.name());
        expect(story, &promise, "401 ended", &verdict(&answer))?;
    }
    Ok(())
}

/// It asks the service about no token.
async fn api_refuses(
    story: &mut Narrator<'_>,
    service: &DemoService,
    noticed: Instant,
    [thief, laptop, phone]: [&mut Actor; 3],
) -> Result<(), DemoError> {
    story.say(
        "The API hears of it from the revocation feed, which it reads a few times a second. The thief keeps \
         calling …",
    )?;
    let (refused, after) = loop {
        let answer = thief.call_quietly(story).await?;
        let after = noticed.elapsed();
        if !answer.status.is_success() || after > service.patience {
            break (answer, after);
        }
        sleep(QUICK_LOOK).await;
    };
    story.say(&format!("… until {} ms after the alarm:", after.as_millis()))?;
    thief.tell_call(story, &refused)?;
    expect(story, "thief: the API refuses a token that is not old", "401 ended", &verdict(&refused))?;
    for somebody in [laptop, phone] {
        let answer = somebody.call_quietly(story).await?;
        let promise = format!("{}: the API refuses it, too", somebody.name());
        expect(story, &promise, "401 ended", &verdict(&answer))?;
    }
    Ok(())
}

async fn refresh_tokens_die(story: &mut Narrator<'_>, holders: [&mut Actor; 2]) -> Result<(), DemoError> {
    story.say("And the refresh tokens that nobody had used yet:")?;
    for somebody in holders {
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
    targets: &Targets,
    ben: &mut Actor,
) -> Result<(), DemoError> {
    story.say("Ben has noticed nothing:")?;
    ben.renew(story, "his refresh token is good").await?;
    let answer = ben.call(story).await?;
    expect(story, "his calls are served", "200", &verdict(&answer))?;
    story.say("And Ada signs in again:")?;
    let mut laptop = Actor::sign_in(story, "laptop", targets, &service.ada).await?;
    let answer = laptop.call(story).await?;
    expect(story, "she is back, and the thief is not", "200", &verdict(&answer))
}

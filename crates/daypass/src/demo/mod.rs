//! `daypass demo`: plays what the service is for, over real HTTP against a service of its own, and checks every step.
//!
//! [`walks`] is the play, [`actor`] who takes part, [`crowd`] a program with two hundred calls, [`narrator`] what the
//! terminal shows, and [`keep`] what to try afterwards. [`api`] is the API that is called; [`process`] starts it.

mod actor;
pub(crate) mod api;
mod crowd;
mod keep;
mod narrator;
pub(crate) mod process;
#[cfg(test)]
mod tests;
mod walks;

use std::future::Future;
use std::io::{self, Write};
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use self::narrator::Narrator;
pub(crate) use self::narrator::colours;
use crate::hosted::{Credentials, Failure, Hosted};

/// Play what Daypass is for, step by step, against a service of its own
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Leave the service running until Ctrl-C, and say what to try
    #[arg(long)]
    pub(crate) keep: bool,
}

/// What the demo needs from the rest of the binary.
pub(crate) trait Stage {
    /// Starts a service on a fresh temporary store, with two users and short access tokens, and an API that accepts
    /// these.
    async fn start(&self) -> Result<DemoService, Failure>;
}

/// What the demo is played on.
#[derive(Debug)]
pub(crate) struct DemoService {
    pub(crate) hosted: Hosted,
    /// The API that accepts its access tokens.
    pub(crate) api: Hosted,
    /// How long its access tokens live: a few seconds, but long enough for a dozen calls.
    pub(crate) access_life: Duration,
    /// How much longer than that a token may be accepted, and how long after the end of its session: the API's leeway,
    /// its way to hear of it, and a slow machine.
    pub(crate) patience: Duration,
    /// Whose token is stolen.
    pub(crate) ada: Credentials,
    /// Who is not concerned.
    pub(crate) ben: Credentials,
}

impl DemoService {
    /// Ends both, and waits until they have ended.
    async fn stop(self) -> Result<(), Failure> {
        let api = self.api.stop().await;
        self.hosted.stop().await?;
        api
    }
}

/// Plays the demo. Succeeds only if every step came out as promised; ends early when `leave` does.
pub(crate) async fn run(
    args: &DemoArgs,
    stage: &impl Stage,
    mut leave: Pin<&mut dyn Future<Output = ()>>,
    out: &mut dyn Write,
    colours: bool,
) -> Result<ExitCode, DemoError> {
    let service = tokio::select! {
        started = stage.start() => started.map_err(DemoError::Stage)?,
        () = &mut leave => return Err(DemoError::Left),
    };
    let mut story = Narrator::new(out, colours);
    let played = tokio::select! {
        played = perform(&mut story, &service, args.keep) => played,
        () = &mut leave => Err(DemoError::Left),
    };
    if played.is_ok() && args.keep {
        leave.await;
    }
    let stopped = service.stop().await;
    match played {
        Err(DemoError::Broken) => return Ok(ExitCode::FAILURE),
        played => played?,
    }
    stopped.map_err(DemoError::Stage)?;
    Ok(ExitCode::SUCCESS)
}

async fn perform(story: &mut Narrator<'_>, service: &DemoService, keep: bool) -> Result<(), DemoError> {
    story.plain(&format!(
        "A Daypass of its own is listening at {} ({}).",
        service.hosted.base_url, service.hosted.described
    ))?;
    story.plain(&format!(
        "An API that accepts its tokens is listening at {} ({}).",
        service.api.base_url, service.api.described
    ))?;
    story.plain("What you see went over the wire; tokens are shortened and passwords left out.")?;
    if let Err(failure) = walks::play(story, service).await {
        if matches!(failure, DemoError::Broken) {
            story.plain("\nThe demo ends here: that was not as promised.")?;
        }
        return Err(failure);
    }
    story.plain("\nEvery step came out as promised.")?;
    if keep {
        story.plain(&keep::commands(service)?)?;
    }
    Ok(())
}

/// Why the demo did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// Told already, where it happened.
    #[error("a step came out otherwise than promised")]
    Broken,
    #[error("interrupted")]
    Left,
    #[error(transparent)]
    Stage(Failure),
    #[error("the service's own URL is of no use: {0}")]
    Target(#[from] crate::wire::TargetError),
    #[error("the program's client failed: {0}")]
    Client(#[source] Failure),
    #[error("the operating system gave no random numbers")]
    Entropy(#[from] aws_lc_rs::error::Unspecified),
    #[error("the story could not be told: {0}")]
    Output(#[from] io::Error),
    #[error("the commands could not be written: {0}")]
    Commands(#[from] serde_json::Error),
}

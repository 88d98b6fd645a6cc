//! `daypass demo`: plays what the service is for, over real HTTP against a service of its own, and checks every step.
//!
//! [`walks`] is the play, [`actor`] who takes part, [`narrator`] what the terminal shows, and [`keep`] what to try
//! afterwards.

mod actor;
mod keep;
mod narrator;
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
    /// Starts a service on a fresh temporary store, with two users and short access tokens.
    async fn start(&self) -> Result<DemoService, Failure>;
}

/// The service that the demo is played on.
#[derive(Debug)]
pub(crate) struct DemoService {
    pub(crate) hosted: Hosted,
    /// How long its access tokens live: a few seconds, but long enough for a dozen calls.
    pub(crate) access_life: Duration,
    /// Whose token is stolen.
    pub(crate) ada: Credentials,
    /// Who is not concerned.
    pub(crate) ben: Credentials,
}

/// Plays the demo. Succeeds only if every step came out as promised; ends early when `leave` does.
pub(crate) async fn run(
    args: &DemoArgs,
    stage: &impl Stage,
    mut leave: Pin<&mut dyn Future<Output = ()>>,
    out: &mut dyn Write,
    colours: bool,
) -> Result<ExitCode, DemoError> {
    let service = stage.start().await.map_err(DemoError::Stage)?;
    let mut story = Narrator::new(out, colours);
    let played = tokio::select! {
        played = perform(&mut story, &service, args.keep) => played,
        () = &mut leave => Err(DemoError::Left),
    };
    if played.is_ok() && args.keep {
        leave.await;
    }
    let stopped = service.hosted.stop().await;
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
    #[error("the operating system gave no random numbers")]
    Entropy(#[from] aws_lc_rs::error::Unspecified),
    #[error("the story could not be told: {0}")]
    Output(#[from] io::Error),
    #[error("the commands could not be written: {0}")]
    Commands(#[from] serde_json::Error),
}

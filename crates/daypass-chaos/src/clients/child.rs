//! A client process: a session over a file that other processes share. It reports in lines of JSON on its standard
//! output, and leaves when its standard input is closed.

use std::io::Write as _;
use std::process::ExitCode;

use daypass_client::{FileStore, Session};
use tokio::io::AsyncReadExt as _;

use super::caller::Caller;
use super::{Report, describe};
use crate::arguments::ClientArgs;
use crate::fast::FastClock;
use daypass_chaos::dice::Dice;

/// Lives until nobody wants it any more.
pub(crate) async fn live(arguments: &ClientArgs) -> ExitCode {
    let mut input = tokio::io::stdin();
    let mut nothing = [0];
    tokio::select! {
        // Nothing is ever written to it.
        _closed = input.read(&mut nothing) => ExitCode::SUCCESS,
        () = call(arguments) => ExitCode::FAILURE,
    }
}

async fn call(arguments: &ClientArgs) {
    let clock = FastClock::new(arguments.factor, arguments.base);
    let session = match open(arguments, clock).await {
        Ok(session) => session,
        Err(report) => return tell(&report),
    };
    let mut caller = Caller::new(session, Dice::new(arguments.seed, 0), clock);
    loop {
        if let Some(report) = caller.call().await {
            tell(&report);
            if matches!(report, Report::SignedOut(_) | Report::Failed(_)) {
                return;
            }
        }
    }
}

async fn open(arguments: &ClientArgs, clock: FastClock) -> Result<Session, Report> {
    let store = FileStore::open(&arguments.store).map_err(|error| Report::Failed(error.to_string()))?;
    let described = describe(&arguments.service, clock, arguments.seed).store(store);
    described.build().await.map_err(|error| Report::of(&error))
}

fn tell(report: &Report) {
    let mut out = std::io::stdout().lock();
    // Whoever does not read has gone, and the input says so, too.
    let _gone =
        serde_json::to_writer(&mut out, report).map(|()| out.write_all(b"\n").and_then(|()| out.flush()));
}

//! A command line that stays signed in for weeks. Each command is a process of its own, and any of them may be
//! killed at any moment: the session is kept in a file that they share.

mod arguments;
mod place;

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use arguments::{Arguments, Command};
use clap::Parser as _;
use daypass_client::call::CallError;
use daypass_client::{Credentials, FileStore, Session, SessionError, SessionState};
use reqwest::Url;

/// How long the API may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody has to sign in first.
const SIGNED_OUT: u8 = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            // There is nowhere else to say it.
            let _unsaid = writeln!(io::stderr(), "stay-signed-in: {}", with_causes(&*error));
            if is_signed_out(&*error) { ExitCode::from(SIGNED_OUT) } else { ExitCode::FAILURE }
        }
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let api = Url::parse(&arguments.api).map_err(|error| format!("{}: {error}", arguments.api))?;
    let store = match arguments.store {
        Some(path) => path,
        None => place::usual()?,
    };
    let session = Session::builder(&arguments.issuer)
        .store(FileStore::open(store)?)
        // The access token goes there and nowhere else.
        .allow_origin(api.origin().ascii_serialization())
        .build()
        .await?;
    match arguments.command {
        Command::Login { name, password_stdin } => login(&session, name, password_stdin).await?,
        Command::Whoami => whoami(&session, &api).await?,
        Command::Status => return status(&session),
        Command::Logout => logout(&session).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn login(session: &Session, name: String, password_stdin: bool) -> Result<(), Box<dyn Error>> {
    if session.session_id().is_some() {
        return Err("somebody is signed in already: `stay-signed-in logout` first".into());
    }
    let password = if password_stdin {
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    } else {
        rpassword::prompt_password("Password: ")?
    };
    session.sign_in(Credentials::password(name, password).label("stay-signed-in")).await?;
    say("Signed in.")
}

/// Calls the API. The access token is renewed if it has to be: by one process, from which the others take it over.
async fn whoami(session: &Session, api: &Url) -> Result<(), Box<dyn Error>> {
    let client = session.wrap(reqwest::Client::builder().timeout(PATIENCE))?;
    let answer = client.get(api.join("me")?).send().await?.error_for_status()?;
    say(answer.text().await?.trim_end())
}

/// What the file says, without asking anybody.
fn status(session: &Session) -> Result<ExitCode, Box<dyn Error>> {
    match session.state() {
        SessionState::Active => say("Signed in.")?,
        SessionState::SignedOut(reason) => {
            say(&format!("Not signed in: {reason}."))?;
            return Ok(ExitCode::from(SIGNED_OUT));
        }
        _ => say("Signed in; the next call renews the access token.")?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn logout(session: &Session) -> Result<(), Box<dyn Error>> {
    match session.sign_out().await {
        // The file holds no session any more, and nobody else has its tokens.
        Err(SessionError::Unavailable { .. }) => say("Signed out here; the service could not be told."),
        done => {
            done?;
            say("Signed out.")
        }
    }
}

fn say(text: &str) -> Result<(), Box<dyn Error>> {
    Ok(writeln!(io::stdout(), "{text}")?)
}

fn is_signed_out(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref().is_some_and(SessionError::is_signed_out)
        || error.downcast_ref().is_some_and(CallError::is_signed_out)
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

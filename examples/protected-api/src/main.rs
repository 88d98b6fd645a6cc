//! An API that accepts the access tokens of a Daypass service: who may call what stands in `routes`.

mod routes;
mod settings;

use std::error::Error;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use daypass_verify::revocation::RevocationFeed;
use daypass_verify::{ConfigError, RemoteKeys, Verifier};
use settings::Settings;
use tokio::net::TcpListener;
use tokio::signal;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).init();
    match serve(&Settings::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nowhere else to say it.
            let _unsaid = writeln!(io::stderr(), "protected-api: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let verifier = verifier(settings)?;
    let listener = TcpListener::bind(settings.listen).await;
    let listener = listener.map_err(|error| format!("cannot listen on {}: {error}", settings.listen))?;
    writeln!(io::stdout(), "Listening on http://{}", listener.local_addr()?)?;
    // New connections are refused from then on, and the calls under way are finished.
    axum::serve(listener, routes::router(verifier)).with_graceful_shutdown(asked_to_leave()).await?;
    Ok(())
}

/// Who is believed: one issuer's tokens for this API, checked by that issuer's keys.
fn verifier(settings: &Settings) -> Result<Verifier, ConfigError> {
    let issuer = settings.issuer.trim_end_matches('/');
    let verifier = Verifier::builder()
        .issuer(issuer)
        .audience(settings.audience.as_deref().unwrap_or(issuer))
        .keys(RemoteKeys::new(format!("{issuer}/.well-known/jwks.json")));
    match (&settings.feed_client, &settings.feed_secret) {
        // Tokens of sessions that have ended are refused a second later, not when they expire.
        (Some(client), Some(secret)) => {
            verifier.revocation(RevocationFeed::new(issuer).credentials(client, secret)).build()
        }
        _ => verifier.build(),
    }
}

/// Ends at Ctrl-C, or SIGTERM where there is such a thing.
async fn asked_to_leave() {
    #[cfg(unix)]
    let terminated = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => _ = signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending();
    tokio::select! {
        Ok(()) = signal::ctrl_c() => {}
        () = terminated => {}
    }
}

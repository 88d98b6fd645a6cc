//! A service that calls another: `GET /report` asks the orders API, with an access token of this service's own that
//! all calls share.

mod report;
mod settings;

use std::error::Error;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use daypass_client::Session;
use reqwest::Url;
use settings::Settings;
use tokio::net::TcpListener;
use tokio::signal;

/// How long the API may take: whoever asks for a report waits for as long.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).init();
    match serve(Settings::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nowhere else to say it.
            let _unsaid = writeln!(io::stderr(), "service-to-service: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings) -> Result<(), Box<dyn Error>> {
    let api = Url::parse(&settings.api).map_err(|error| format!("{}: {error}", settings.api))?;
    let session = Session::builder(&settings.issuer)
        .client_credentials(settings.client_id, settings.client_secret)
        .scope("orders")
        .allow_origin(api.origin().ascii_serialization());
    let session = match settings.resource {
        Some(resource) => session.resource(resource),
        None => session,
    };
    let client = session.build().await?.wrap(reqwest::Client::builder().timeout(PATIENCE))?;
    let router = report::router(client, api.join("orders")?);

    let listener = TcpListener::bind(settings.listen).await;
    let listener = listener.map_err(|error| format!("cannot listen on {}: {error}", settings.listen))?;
    writeln!(io::stdout(), "Listening on http://{}", listener.local_addr()?)?;
    axum::serve(listener, router).with_graceful_shutdown(asked_to_leave()).await?;
    Ok(())
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

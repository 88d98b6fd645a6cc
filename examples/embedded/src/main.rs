//! An application with a Daypass service inside: the service's routes are below `/auth`, the application's own are
//! behind a verifier, and one process and one folder hold all of it.

mod app;
mod settings;
mod tokens;

use std::error::Error;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;

use clap::Parser as _;
use daypass_http::{HttpOptions, ServeOptions};
use settings::{Command, Serve, Settings};
use tokens::Ground;
use tokio::net::TcpListener;
use tokio::signal;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).init();
    let Settings { data, command } = Settings::parse();
    let done = match command {
        Command::Add { name } => add(&data, &name).await,
        Command::Serve(settings) => serve(&data, &settings).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nowhere else to say it.
            let _unsaid = writeln!(io::stderr(), "embedded: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Adds somebody, whose password is read from the standard input.
async fn add(data: &std::path::Path, name: &str) -> Result<(), Failure> {
    let mut password = String::new();
    io::stdin().read_line(&mut password)?;
    let sub = Ground::open(data)?.add_person(name, password.trim_end_matches(['\r', '\n'])).await?;
    Ok(writeln!(io::stdout(), "Added {name} as {sub}.")?)
}

async fn serve(data: &std::path::Path, settings: &Serve) -> Result<(), Failure> {
    let listener = TcpListener::bind(settings.listen).await;
    let listener = listener.map_err(|error| format!("cannot listen on {}: {error}", settings.listen))?;
    let here = format!("http://{}/auth", reachable(listener.local_addr()?));
    let issuer = settings.issuer.clone().unwrap_or_else(|| here.clone());

    let ground = Ground::open(data)?;
    let follower = ground.register_follower().await?;
    let service = ground.serve(&issuer).await?;
    let mut options = HttpOptions::default();
    // What the service does not know is the application's.
    options.answer_unknown_paths = false;
    // The service takes the path from its issuer, `/auth`; its well-known documents stand before it (RFC 8414).
    let router = daypass_http::router(service.clone(), options)
        .merge(app::router(&app::verifier(&issuer, &here, &follower)?));

    writeln!(io::stdout(), "Listening on http://{}", listener.local_addr()?)?;
    daypass_http::serve(listener, router, ServeOptions::default(), asked_to_leave()).await?;
    // The last owner of the store waits for its threads.
    Ok(tokio::task::spawn_blocking(move || drop(service)).await?)
}

/// The address at which this process reaches itself.
fn reachable(mut listening: SocketAddr) -> SocketAddr {
    if listening.ip().is_unspecified() {
        listening.set_ip(match listening {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    listening
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_listens_everywhere_reaches_itself_on_loopback() {
        for (listening, reached) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            let listening: SocketAddr = listening.parse().unwrap();
            assert_eq!(reachable(listening).to_string(), reached);
        }
    }
}

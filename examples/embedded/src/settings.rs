//! What the application is told: by flags, or by environment variables of the same names in capitals.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// An application with a Daypass service inside
#[derive(Parser)]
#[command(version)]
pub(crate) struct Settings {
    /// Folder of the database and the master key
    #[arg(long, env, value_name = "DIR", default_value = "embedded-data", global = true)]
    pub(crate) data: PathBuf,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Add somebody who can sign in; the password is read from the standard input
    Add {
        /// The name to sign in with
        name: String,
    },
    /// Serve the application, and the token service below /auth
    Serve(Serve),
}

#[derive(Args)]
pub(crate) struct Serve {
    /// Where to listen: an address of this machine's own, with the proxy that terminates TLS before it
    #[arg(long, env, value_name = "ADDRESS", default_value = "127.0.0.1:8092")]
    pub(crate) listen: SocketAddr,

    /// The issuer, as the outside sees it, such as `https://app.example/auth` [default: `http://LISTEN/auth`]
    #[arg(long, env, value_name = "URL", value_parser = below_auth)]
    pub(crate) issuer: Option<String>,
}

/// The routes of this application's own are beside `/auth`, and nothing else may come in their way.
fn below_auth(url: &str) -> Result<String, &'static str> {
    let (_, rest) = url.split_once("://").ok_or("it is not a URL")?;
    match rest.split_once('/') {
        Some((host, "auth")) if !host.is_empty() => Ok(url.to_owned()),
        _ => Err("its path has to be /auth"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_ends_in_auth() {
        assert!(below_auth("https://app.example/auth").is_ok());
        for wrong in ["app.example/auth", "https://app.example", "https:///auth", "https://app.example/auth/"]
        {
            assert!(below_auth(wrong).is_err(), "{wrong}");
        }
    }
}

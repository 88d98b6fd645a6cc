//! What can be asked for.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Stays signed in for weeks, across processes
///
/// Exit codes: 0 for success, 1 for an error, 2 for wrong usage, 3 if somebody has to sign in first.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// The Daypass service
    #[arg(long, env, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) issuer: String,

    /// The API that is called
    #[arg(long, env, value_name = "URL", default_value = "http://127.0.0.1:8090")]
    pub(crate) api: String,

    /// The file that the session is kept in [default: stay-signed-in/session.json in your folder for settings]
    #[arg(long, env, value_name = "PATH")]
    pub(crate) store: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Sign in
    Login {
        /// The name to sign in with
        name: String,

        /// Read the password from the standard input instead of asking for it
        #[arg(long)]
        password_stdin: bool,
    },
    /// Ask the API who you are
    Whoami,
    /// Say whether somebody is signed in
    Status,
    /// Sign out, here and at the service
    Logout,
}

//! The command line: what may be said, and who does it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::bench::{self, Bench};
use crate::client::ClientCommand;
use crate::config::{self, Config, Overrides, Unshown};
use crate::demo::{self, DemoArgs};
use crate::ground::OwnGround;
use crate::hosted::Failure;
use crate::keys::KeysCommand;
use crate::plan::{self, PlanArgs};
use crate::session::SessionCommand;
use crate::user::UserCommand;
use crate::{client, keys, migrate, serve, session, system, terminal, user};

/// Keep people signed in with tokens that expire
///
/// Daypass gives out short-lived access tokens and one-time refresh tokens, notices a stolen one,
/// and ends sessions. `daypass demo` shows it at work; `daypass serve` runs it.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Where a command works. A running service on the same data notices changes within a second.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Configuration file (TOML) [default: daypass.toml, if there is one]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Folder of the database and the master key
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// PostgreSQL database in the place of the folder's, postgres://…; better set in the
    /// environment or the configuration file, where no other user sees it
    #[arg(long, value_name = "URL", global = true)]
    database: Option<Unshown<String>>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the token service
    Serve(ServeArgs),
    /// Make the schema of a database, or bring it up to this release
    Migrate,
    /// Add, list and change people
    #[command(subcommand)]
    User(UserCommand),
    /// List and end sessions
    #[command(subcommand)]
    Session(SessionCommand),
    /// Register, list and remove clients
    #[command(subcommand)]
    Client(ClientCommand),
    /// List, replace and import keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Check the configuration and show what it resolves to
    CheckConfig(CheckArgs),
    /// Plan for a number of sessions: store, nodes, connections, log, disk, and what ends first
    Plan(PlanArgs),
    /// Play what Daypass is for, step by step, against a service of its own
    Demo(DemoArgs),
    /// The API of the demo, which starts it
    #[command(name = demo::process::COMMAND, hide = true)]
    DemoApi,
    /// Measure a service and check its answers
    #[command(subcommand)]
    Bench(Bench),
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
struct ServeArgs {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The issuer's URL, as clients and verifiers see it
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
}

/// Arguments of `check-config`.
#[derive(Debug, Args)]
struct CheckArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Place {
    /// The configuration of this place.
    pub(crate) fn load(&self) -> Result<Config, Failure> {
        self.load_with(None, None)
    }

    fn load_with(&self, listen: Option<String>, issuer: Option<String>) -> Result<Config, Failure> {
        let overrides =
            Overrides { listen, data: self.data.clone(), database: self.database.clone(), issuer };
        Ok(config::load(self.config.clone(), overrides)?)
    }
}

/// Does what was asked; an error goes to the standard error and into the exit code.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return terminal::fail(&error.into()),
    };
    match runtime.block_on(dispatch(cli)) {
        Ok(code) => code,
        Err(error) => terminal::fail(&error),
    }
}

async fn dispatch(Cli { place, command }: Cli) -> Result<ExitCode, Failure> {
    let out = &mut std::io::stdout();
    match command {
        Command::Serve(args) => {
            serve::run(place.load_with(args.listen, args.issuer)?).await?;
        }
        Command::Migrate => migrate::run(&place.load()?, out).await?,
        Command::User(command) => user::run(command, &place.load()?, out).await?,
        Command::Session(command) => session::run(command, &place.load()?, out).await?,
        Command::Client(command) => client::run(command, &place.load()?, out).await?,
        Command::Keys(command) => keys::run(command, &place.load()?, out).await?,
        Command::CheckConfig(args) => terminal::show_config(&place.load()?, args.json, out)?,
        Command::Plan(args) => plan::run(&args, &place.load()?, out)?,
        Command::Demo(args) => {
            let leave = std::pin::pin!(system::asked_to_leave());
            return Ok(demo::run(
                &args,
                &OwnGround { config: None, database: None },
                leave,
                out,
                demo::colours(),
            )
            .await?);
        }
        Command::DemoApi => demo::api::run(out).await?,
        Command::Bench(bench) => {
            let leave = std::pin::pin!(system::asked_to_leave());
            return Ok(bench::run(
                &bench,
                &OwnGround { config: place.config, database: place.database },
                leave,
                out,
            )
            .await?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

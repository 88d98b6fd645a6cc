//! `daypass migrate`: the schema of a database.

use std::io::Write;

use crate::config::Config;
use crate::hosted::Failure;
use crate::system::start_log;

pub(crate) async fn run(config: &Config, out: &mut impl Write) -> Result<(), Failure> {
    let Some(url) = &config.database else {
        return Err(
            "no database is configured; the store in the data folder is migrated when it is opened".into()
        );
    };
    // It may have to wait, and says so there.
    start_log(config)?;
    let migrated = daypass_postgres::migrate(url).await.map_err(|error| format!("{url}: {error}"))?;
    let (from, to) = (migrated.from, migrated.to);
    if from == to {
        return Ok(writeln!(out, "{url} is up to date: schema version {to}.")?);
    }
    Ok(writeln!(out, "{url} has schema version {to} now; it had {from}.")?)
}

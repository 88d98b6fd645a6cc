//! The schema: made and changed by `daypass migrate` alone, looked at by everybody else.

use std::time::Duration;

use daypass_storage::{StoreError, StoreResult};

use crate::address::DatabaseUrl;
use crate::connect::{Connection, Connector};
use crate::rows::get;
use crate::trouble::Trouble;

/// A step of the schema.
struct Step {
    sql: &'static str,
    /// The oldest schema version whose release can work on the schema after this step. A step that
    /// only adds leaves the release before it working; one that takes away waits a release.
    fits: usize,
}

/// The steps from nothing to the present schema.
const STEPS: &[Step] = &[
    Step { sql: include_str!("migrations/0001_start.sql"), fits: 1 },
    Step { sql: include_str!("migrations/0002_lease.sql"), fits: 1 },
];

/// How long a statement of a migration may take.
const PATIENCE: Duration = Duration::from_hours(1);

/// How long a step waits for a lock: whoever comes after it waits as long, nodes among them.
const LOCK: &str = "set local lock_timeout = '1s'";

/// The pause before a step tries again that somebody's locks were in the way of.
const PAUSE: Duration = Duration::from_secs(1);

/// How often it does.
const TRIES: u32 = 600;

/// What [`migrate`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The version of the schema before; 0: there was none.
    pub from: usize,
    /// The version now.
    pub to: usize,
}

/// Brings the schema of the database at `url` up to this release, step by step, each whole or not at all:
/// after an error, running it again goes on. Does nothing where it is up to date, and may run beside another and beside nodes of the release before.
/// A step waits for the locks of others a second at a time, six hundred times, so that nobody waits behind it for longer.
///
/// # Errors
/// [`StoreError::Schema`] for a schema of a newer release; [`StoreError::Unavailable`] where the
/// database cannot be reached or refuses.
pub async fn migrate(url: &DatabaseUrl) -> StoreResult<Migrated> {
    let connection = Connector::new(url, PATIENCE)?.connect().await.map_err(Trouble::into_error)?;
    take_steps(&connection, STEPS).await.map_err(Trouble::into_error)
}

/// Removes the schema and everything in it: for a database that was only measured on.
///
/// # Errors
/// [`StoreError::Unavailable`] where the database cannot be reached or refuses.
pub async fn remove(url: &DatabaseUrl) -> StoreResult<()> {
    let connection = Connector::new(url, PATIENCE)?.connect().await.map_err(Trouble::into_error)?;
    connection.batch("drop schema daypass cascade").await.map_err(Trouble::into_error)
}

async fn take_steps(connection: &Connection, steps: &[Step]) -> Result<Migrated, Trouble> {
    let reached = async || Ok::<_, Trouble>(version(connection).await?.map_or(0, |schema| schema.version));
    let found = reached().await?;
    let mut at = found;
    if at > steps.len() {
        return Err(newer(at).into());
    }
    let mut tries = 0;
    while let Some(step) = steps.get(at) {
        let taken = one_step(connection, step, at).await;
        let before = at;
        at = reached().await?;
        match taken {
            // Of two that take a step at once the second fails, and goes on.
            _ if at > before => tries = 0,
            Err(Trouble::Blocked(why) | Trouble::Conflict(why)) if tries < TRIES => {
                tries += 1;
                tracing::warn!(why, step = before + 1, "a migration waits for others");
                tokio::time::sleep(PAUSE).await;
            }
            taken => taken?,
        }
    }
    Ok(Migrated { from: found, to: at })
}

/// Takes the step from version `at`, in a transaction.
async fn one_step(connection: &Connection, step: &Step, at: usize) -> Result<(), Trouble> {
    let first = match at {
        0 => "create schema daypass".to_owned(),
        // Whoever comes second waits here for as long as the first takes, and then divides by nothing.
        at => format!(
            "select from daypass.schema for update; select 1 / count(*) from daypass.schema where version = {at}"
        ),
    };
    let (sql, fits, to) = (step.sql, step.fits, at + 1);
    let all = format!(
        "begin; set local synchronous_commit = on; {LOCK}; {first};\n{sql}\n\
         update daypass.schema set version = {to}, fits = {fits}; commit"
    );
    let taken = connection.batch(&all).await;
    if taken.is_err() {
        let _gone_anyway = connection.batch("rollback").await;
    }
    taken
}

/// What a database says of its schema.
struct Found {
    version: usize,
    fits: usize,
}

async fn version(connection: &Connection) -> Result<Option<Found>, Trouble> {
    let exists = "select exists (select 1 from information_schema.tables \
                  where table_schema = 'daypass' and table_name = 'schema')";
    let row = connection.row(exists, &[]).await?;
    if !row.map_or(Ok(false), |row| get(&row, 0))? {
        return Ok(None);
    }
    let row = connection.row("select version, fits from daypass.schema", &[]).await?;
    let Some(row) = row else { return Ok(None) };
    let read = |at| Ok::<_, StoreError>(usize::try_from(get::<i32>(&row, at)?).unwrap_or(usize::MAX));
    Ok(Some(Found { version: read(0)?, fits: read(1)? }))
}

/// Refuses a schema that this release cannot work on.
pub(crate) async fn check(connection: &Connection) -> Result<(), Trouble> {
    let known = STEPS.len();
    let Some(found) = version(connection).await? else {
        let text = "the database has no schema of Daypass: run `daypass migrate` first";
        return Err(StoreError::Schema(text.to_owned()).into());
    };
    if found.version < known {
        let text = format!(
            "the database has schema version {}, this release needs {known}: run `daypass migrate` first",
            found.version
        );
        return Err(StoreError::Schema(text).into());
    }
    if found.fits > known {
        return Err(newer(found.version).into());
    }
    Ok(())
}

fn newer(version: usize) -> StoreError {
    let known = STEPS.len();
    StoreError::Schema(format!(
        "the database has schema version {version}, this release knows {known}: use a newer one"
    ))
}

//! People, their passwords, and the subjects behind them.

use daypass_core::guess::Guesses;
use daypass_core::{EndingReason, Event, EventKind, Subject, SubjectId, Timestamp};
use daypass_storage::{
    AddUser, PasswordChange, PasswordHash, PasswordUse, Source, StoreResult, SubjectChange, User, Username,
};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::rows::{corrupt, get, store_error, subject, text, time};
use crate::writer::Tx;
use crate::{feed, registry, sessions};

/// How many columns come before the subject's in [`USER`].
const USER_COLUMNS: usize = 3;

/// A query of people, in the columns that [`user`] reads.
macro_rules! select_users {
    ($rest:literal) => {
        concat!(
            "select p.name, p.password, p.created_at, u.sub, u.disabled, u.not_before, u.not_before_why, ",
            "u.reused_before, u.scope, u.claims from users p join subjects u on u.id = p.subject ",
            $rest
        )
    };
}

fn user(row: &Row<'_>) -> StoreResult<User> {
    let hash: Option<String> = get(row, 1)?;
    Ok(User {
        name: text(row, 0)?.parse().map_err(|_| corrupt("user name"))?,
        password: hash
            .map(|phc| PasswordHash::new(phc).ok_or_else(|| corrupt("password hash")))
            .transpose()?,
        created_at: time(row, 2)?,
        subject: subject(row, USER_COLUMNS)?,
    })
}

/// The row and the content of a subject.
pub(crate) fn find_subject(conn: &Connection, sub: &SubjectId) -> StoreResult<Option<(i64, Subject)>> {
    let sql = "select id, sub, disabled, not_before, not_before_why, reused_before, scope, claims from subjects where sub = ?1";
    let mut statement = conn.prepare_cached(sql).map_err(store_error)?;
    let mut rows = statement.query([sub.as_str()]).map_err(store_error)?;
    let row = rows.next().map_err(store_error)?;
    row.map(|row| Ok((get(row, 0)?, subject(row, 1)?))).transpose()
}

/// Records a new subject and returns its row.
pub(crate) fn insert_subject(tx: &Tx<'_>, subject: &Subject) -> StoreResult<i64> {
    let claims = serde_json::to_string(&subject.claims).map_err(|_| corrupt("claims"))?;
    let sql = "insert into subjects (sub, disabled, scope, claims) values (?1, ?2, ?3, ?4)";
    tx.execute(sql, (subject.id.as_str(), subject.disabled, subject.scope.as_str(), claims))?;
    Ok(tx.conn.last_insert_rowid())
}

pub(crate) fn by_name(conn: &Connection, name: &Username) -> StoreResult<Option<User>> {
    one(conn, select_users!("where p.name = ?1"), name.as_str())
}

pub(crate) fn by_sub(conn: &Connection, sub: &SubjectId) -> StoreResult<Option<User>> {
    one(conn, select_users!("where u.sub = ?1"), sub.as_str())
}

fn one(conn: &Connection, sql: &str, key: &str) -> StoreResult<Option<User>> {
    let mut statement = conn.prepare_cached(sql).map_err(store_error)?;
    let mut rows = statement.query([key]).map_err(store_error)?;
    rows.next().map_err(store_error)?.map(user).transpose()
}

pub(crate) fn page(conn: &Connection, after: Option<&Username>, limit: usize) -> StoreResult<Vec<User>> {
    let sql = select_users!("where p.name > ?1 order by p.name limit ?2");
    let mut statement = conn.prepare_cached(sql).map_err(store_error)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query((after.map_or("", Username::as_str), limit)).map_err(store_error)?;
    let mut users = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        users.push(user(row)?);
    }
    Ok(users)
}

pub(crate) fn add(tx: &Tx<'_>, user: &User, source: Source) -> StoreResult<AddUser> {
    if by_name(tx.conn, &user.name)?.is_some() {
        return Ok(AddUser::NameTaken);
    }
    let sub = &user.subject.id;
    if registry::is_client(tx.conn, sub.as_str())? || find_subject(tx.conn, sub)?.is_some() {
        return Ok(AddUser::SubjectTaken);
    }
    let row = insert_subject(tx, &user.subject)?;
    let sql = "insert into users (name, subject, password, created_at) values (?1, ?2, ?3, ?4)";
    let password = user.password.as_ref().map(PasswordHash::as_phc);
    tx.execute(sql, (user.name.as_str(), row, password, tx.now.millis()))?;
    feed::record(tx, &act(tx.now, EventKind::UserAdded, sub, source))?;
    Ok(AddUser::Added)
}

pub(crate) fn change(
    tx: &Tx<'_>,
    sub: &SubjectId,
    change: &SubjectChange,
    source: Source,
) -> StoreResult<bool> {
    let Some((row, before)) = find_subject(tx.conn, sub)? else { return Ok(false) };
    let after = Subject {
        claims: change.claims.clone().unwrap_or_else(|| before.claims.clone()),
        scope: change.scope.clone().unwrap_or_else(|| before.scope.clone()),
        disabled: change.disabled.unwrap_or(before.disabled),
        ..before.clone()
    };
    let claims = serde_json::to_string(&after.claims).map_err(|_| corrupt("claims"))?;
    let sql = "update subjects set disabled = ?2, scope = ?3, claims = ?4 where id = ?1";
    tx.execute(sql, (row, after.disabled, after.scope.as_str(), claims))?;
    if after.disabled && !before.disabled {
        sessions::cut_off(tx, sub, EndingReason::Disabled)?;
    }
    feed::record(tx, &act(tx.now, EventKind::UserChanged, sub, source))?;
    Ok(true)
}

pub(crate) fn set_password(
    tx: &Tx<'_>,
    sub: &SubjectId,
    change: &PasswordChange,
    source: Source,
) -> StoreResult<bool> {
    let subject = "(select id from subjects where sub = ?1)";
    match change {
        PasswordChange::Rehash { from, to } => {
            let sql = format!("update users set password = ?2 where subject = {subject} and password = ?3");
            Ok(tx.execute(&sql, (sub.as_str(), to.as_phc(), from.as_phc()))? == 1)
        }
        PasswordChange::New { hash, from, keep } => {
            let sql = format!(
                "update users set password = ?2 where subject = {subject} and (?3 is null or password = ?3)"
            );
            let from = from.as_ref().map(PasswordHash::as_phc);
            if tx.execute(&sql, (sub.as_str(), hash.as_phc(), from))? == 0 {
                return Ok(false);
            }
            sessions::end_all(tx, sub, *keep, EndingReason::PasswordChanged, source)?;
            Ok(true)
        }
    }
}

fn act(now: Timestamp, kind: EventKind, sub: &SubjectId, source: Source) -> Event {
    Event { client: source.client, detail: source.detail, ..Event::new(now, kind) }
        .of(sub)
        .from(source.address.as_deref())
}

pub(crate) fn guesses(conn: &Connection, account: &[u8; 32]) -> StoreResult<Guesses> {
    let sql = "select failures, last from guesses where account = ?1";
    let mut statement = conn.prepare_cached(sql).map_err(store_error)?;
    let read =
        |row: &Row<'_>| Ok(Guesses { failures: row.get(0)?, last: Timestamp::from_millis(row.get(1)?) });
    Ok(statement.query_row([account.as_slice()], read).optional().map_err(store_error)?.unwrap_or_default())
}

pub(crate) fn record_password_use(tx: &Tx<'_>, account: &[u8; 32], outcome: PasswordUse) -> StoreResult<()> {
    match outcome {
        PasswordUse::Right => tx.execute("delete from guesses where account = ?1", [account.as_slice()])?,
        PasswordUse::Wrong => {
            let next = guesses(tx.conn, account)?.failed(tx.now);
            let sql = "insert into guesses (account, failures, last) values (?1, ?2, ?3) \
                       on conflict (account) do update set failures = ?2, last = ?3";
            tx.execute(sql, (account.as_slice(), next.failures, next.last.millis()))?
        }
    };
    Ok(())
}

//! People, their passwords, and the subjects behind them.
//!
//! Locks are taken in one order everywhere: a person, sessions by their ids, subjects by their names,
//! counters. They are held until the commit, and the clock is read when all are had: what comes later in
//! the order of commits has a later time.

use daypass_core::guess::Guesses;
use daypass_core::{EndingReason, Event, EventKind, Subject, SubjectId, Timestamp};
use daypass_storage::{
    AddUser, PasswordChange, PasswordHash, PasswordUse, Source, StoreError, SubjectChange, User, Username,
};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::connect::Connection;
use crate::rows::{corrupt, get, number, subject, subject_columns, time};
use crate::trouble::Trouble;
use crate::tx::Tx;
use crate::{feed, sessions};

/// How many columns come before the subject's in a row that [`user`] reads.
const USER_COLUMNS: usize = 3;

/// A query of people, in the columns that [`user`] reads.
macro_rules! select_users {
    ($rest:literal) => {
        concat!(
            "select p.name, p.password, p.created_at, ",
            subject_columns!(),
            " from daypass.users p join daypass.subjects u on u.sub = p.subject ",
            $rest
        )
    };
}

/// A query of one subject that is no client.
macro_rules! select_subject {
    ($rest:literal) => {
        concat!(
            "select ",
            subject_columns!(),
            " from daypass.subjects u where u.sub = $1 and not u.is_client",
            $rest
        )
    };
}

fn user(row: &Row) -> Result<User, StoreError> {
    Ok(User {
        name: get::<&str>(row, 0)?.parse().map_err(|_| corrupt("user name"))?,
        password: hash(row, 1)?,
        created_at: time(row, 2)?,
        subject: subject(row, USER_COLUMNS)?,
    })
}

fn hash(row: &Row, at: usize) -> Result<Option<PasswordHash>, StoreError> {
    let phc: Option<String> = get(row, at)?;
    phc.map(|phc| PasswordHash::new(phc).ok_or_else(|| corrupt("password hash"))).transpose()
}

/// A subject that cannot change until the commit, though others may look at it as well.
pub(crate) async fn share_subject(tx: &Tx<'_>, sub: &SubjectId) -> Result<Option<Subject>, Trouble> {
    let row = tx.row(select_subject!(" for key share"), &[(&sub.as_str(), Type::TEXT)]).await?;
    Ok(row.map(|row| subject(&row, 0)).transpose()?)
}

/// A subject, locked.
pub(crate) async fn lock_subject(tx: &Tx<'_>, sub: &SubjectId) -> Result<Option<Subject>, Trouble> {
    let row = tx.row(select_subject!(" for update"), &[(&sub.as_str(), Type::TEXT)]).await?;
    Ok(row.map(|row| subject(&row, 0)).transpose()?)
}

/// A subject that cannot change until the commit, recorded first if it is new; none if the name is a client's. Renewals
/// of the subject's other sessions go on beside it.
pub(crate) async fn share_or_add_subject(tx: &Tx<'_>, sub: &SubjectId) -> Result<Option<Subject>, Trouble> {
    if sub.as_str() == daypass_core::client::BUILT_IN {
        return Ok(None);
    }
    if let Some(subject) = share_subject(tx, sub).await? {
        return Ok(Some(subject));
    }
    insert_subject(tx, &Subject::new(sub.clone())).await?;
    share_subject(tx, sub).await
}

/// Records a subject; false if the name is taken, be it by a client.
async fn insert_subject(tx: &Tx<'_>, subject: &Subject) -> Result<bool, Trouble> {
    let claims = serde_json::to_string(&subject.claims).map_err(|_| corrupt("claims"))?;
    let sql = "insert into daypass.subjects (sub, disabled, scope, claims) values ($1, $2, $3, $4) \
               on conflict (sub) do nothing";
    let (sub, scope) = (subject.id.as_str(), subject.scope.as_str());
    let values: [_; 4] = [
        (&sub as _, Type::TEXT),
        (&subject.disabled as _, Type::BOOL),
        (&scope as _, Type::TEXT),
        (&claims as _, Type::TEXT),
    ];
    Ok(tx.execute(sql, &values).await? == 1)
}

/// The password hash of a person, who is locked.
pub(crate) async fn lock_password(tx: &Tx<'_>, sub: &SubjectId) -> Result<Option<PasswordHash>, Trouble> {
    let sql = "select password from daypass.users where subject = $1 for update";
    let row = tx.row(sql, &[(&sub.as_str(), Type::TEXT)]).await?;
    Ok(row.map(|row| hash(&row, 0)).transpose()?.flatten())
}

pub(crate) async fn by_name(connection: &Connection, name: &Username) -> Result<Option<User>, Trouble> {
    let row = connection.row(select_users!("where p.name = $1"), &[(&name.as_str(), Type::TEXT)]).await?;
    Ok(row.as_ref().map(user).transpose()?)
}

pub(crate) async fn by_sub(connection: &Connection, sub: &SubjectId) -> Result<Option<User>, Trouble> {
    let row = connection.row(select_users!("where p.subject = $1"), &[(&sub.as_str(), Type::TEXT)]).await?;
    Ok(row.as_ref().map(user).transpose()?)
}

pub(crate) async fn page(
    connection: &Connection,
    after: Option<&Username>,
    limit: usize,
) -> Result<Vec<User>, Trouble> {
    let (after, limit) = (after.map_or("", Username::as_str), i64::try_from(limit).unwrap_or(i64::MAX));
    let sql = select_users!("where p.name > $1 order by p.name limit $2");
    let rows = connection.rows(sql, &[(&after, Type::TEXT), (&limit, Type::INT8)]).await?;
    Ok(rows.iter().map(user).collect::<Result<_, _>>()?)
}

pub(crate) async fn add(tx: &Tx<'_>, user: &User, source: &Source) -> Result<AddUser, Trouble> {
    let (name, sub) = (user.name.as_str(), &user.subject.id);
    let taken = "select exists (select 1 from daypass.users where name = $1)";
    let row = tx.row(taken, &[(&name, Type::TEXT)]).await?;
    if row.map_or(Ok(false), |row| get(&row, 0))? {
        return Ok(AddUser::NameTaken);
    }
    let now = tx.moment().await?.now;
    let sql = "insert into daypass.users (name, subject, password, created_at) values ($1, $2, $3, $4) on conflict do nothing";
    let (subject, created) = (sub.as_str(), now.millis());
    let password = user.password.as_ref().map(PasswordHash::as_phc);
    let values: [_; 4] = [
        (&name as _, Type::TEXT),
        (&subject as _, Type::TEXT),
        (&password as _, Type::TEXT),
        (&created as _, Type::INT8),
    ];
    if tx.execute(sql, &values).await? == 0 {
        // Either by name, by somebody who was faster, or by `sub`.
        let row = tx.row(taken, &[(&name, Type::TEXT)]).await?;
        let by_name = row.map_or(Ok(false), |row| get(&row, 0))?;
        return Ok(if by_name { AddUser::NameTaken } else { AddUser::SubjectTaken });
    }
    if subject == daypass_core::client::BUILT_IN || !insert_subject(tx, &user.subject).await? {
        tx.execute("delete from daypass.users where name = $1", &[(&name, Type::TEXT)]).await?;
        return Ok(AddUser::SubjectTaken);
    }
    feed::record(tx, &act(now, EventKind::UserAdded, sub, source)).await?;
    Ok(AddUser::Added)
}

pub(crate) async fn change(
    tx: &Tx<'_>,
    sub: &SubjectId,
    change: &SubjectChange,
    source: &Source,
) -> Result<bool, Trouble> {
    let Some(before) = lock_subject(tx, sub).await? else { return Ok(false) };
    let moment = tx.moment().await?;
    let after = Subject {
        claims: change.claims.clone().unwrap_or_else(|| before.claims.clone()),
        scope: change.scope.clone().unwrap_or_else(|| before.scope.clone()),
        disabled: change.disabled.unwrap_or(before.disabled),
        ..before.clone()
    };
    let claims = serde_json::to_string(&after.claims).map_err(|_| corrupt("claims"))?;
    let sql = "update daypass.subjects set disabled = $2, scope = $3, claims = $4 where sub = $1";
    let (name, scope) = (sub.as_str(), after.scope.as_str());
    let values: [_; 4] = [
        (&name as _, Type::TEXT),
        (&after.disabled as _, Type::BOOL),
        (&scope as _, Type::TEXT),
        (&claims as _, Type::TEXT),
    ];
    tx.execute(sql, &values).await?;
    if after.disabled && !before.disabled {
        sessions::cut_off(tx, sub, EndingReason::Disabled, &moment).await?;
    }
    feed::record(tx, &act(moment.now, EventKind::UserChanged, sub, source)).await?;
    Ok(true)
}

pub(crate) async fn set_password(
    tx: &Tx<'_>,
    sub: &SubjectId,
    change: &PasswordChange,
    source: &Source,
) -> Result<bool, Trouble> {
    let (to, from) = match change {
        PasswordChange::Rehash { from, to } => (to, Some(from)),
        PasswordChange::New { hash, from, .. } => (hash, from.as_ref()),
    };
    let sql =
        "update daypass.users set password = $2 where subject = $1 and ($3::text is null or password = $3)";
    let (name, to, from) = (sub.as_str(), to.as_phc(), from.map(PasswordHash::as_phc));
    let values: [_; 3] = [(&name as _, Type::TEXT), (&to as _, Type::TEXT), (&from as _, Type::TEXT)];
    if tx.execute(sql, &values).await? == 0 {
        return Ok(false);
    }
    if let PasswordChange::New { keep, .. } = change {
        sessions::end_all(tx, sub, *keep, EndingReason::PasswordChanged, source).await?;
    }
    Ok(true)
}

fn act(now: Timestamp, kind: EventKind, sub: &SubjectId, source: &Source) -> Event {
    Event { client: source.client.clone(), detail: source.detail.clone(), ..Event::new(now, kind) }
        .of(sub)
        .from(source.address.as_deref())
}

/// The wrong passwords seen in a row for an account.
macro_rules! select_guesses {
    ($rest:literal) => {
        concat!("select failures, last from daypass.guesses where account = $1", $rest)
    };
}

fn counted(row: Option<&Row>) -> Result<Guesses, StoreError> {
    row.map_or(Ok(Guesses::default()), |row| {
        Ok(Guesses { failures: number::<i64, _>(row, 0, "number of guesses")?, last: time(row, 1)? })
    })
}

pub(crate) async fn guesses(connection: &Connection, account: &[u8; 32]) -> Result<Guesses, Trouble> {
    let row = connection.row(select_guesses!(""), &[(&account.as_slice(), Type::BYTEA)]).await?;
    Ok(counted(row.as_ref())?)
}

pub(crate) async fn record_password_use(
    tx: &Tx<'_>,
    account: &[u8; 32],
    outcome: PasswordUse,
) -> Result<(), Trouble> {
    let account = account.as_slice();
    if outcome == PasswordUse::Right {
        let sql = "delete from daypass.guesses where account = $1";
        return tx.execute(sql, &[(&account, Type::BYTEA)]).await.map(drop);
    }
    // So that there is a row to lock: two wrong passwords at once count as two.
    let first = "insert into daypass.guesses (account, failures, last) values ($1, 0, 0) on conflict (account) do nothing";
    tx.execute(first, &[(&account, Type::BYTEA)]).await?;
    let row = tx.row(select_guesses!(" for update"), &[(&account, Type::BYTEA)]).await?;
    let before = counted(row.as_ref())?;
    let before = if before.failures == 0 { Guesses::default() } else { before };
    let next = before.failed(tx.moment().await?.now);
    let (failures, last) = (i64::from(next.failures), next.last.millis());
    let sql = "update daypass.guesses set failures = $2, last = $3 where account = $1";
    let values: [_; 3] =
        [(&account as _, Type::BYTEA), (&failures as _, Type::INT8), (&last as _, Type::INT8)];
    tx.execute(sql, &values).await.map(drop)
}

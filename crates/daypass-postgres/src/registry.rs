//! Registered clients, and keys.

use std::time::Duration;

use daypass_core::{Client, ClientId, Event, EventKind, Timestamp};
use daypass_storage::{
    AddClient, AddKey, DropKey, KeptLease, KeyPurpose, KeyRecord, Lease, Source, StoreError, Versions,
};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::connect::Connection;
use crate::feed;
use crate::rows::{Id, corrupt, get, number, optional_time, time};
use crate::trouble::Trouble;
use crate::tx::Tx;

const KEYS: &str = "select id, purpose, algorithm, sealed, created_at, active_from, retired_from from daypass.keys \
                    order by active_from, id";

pub(crate) async fn clients(connection: &Connection) -> Result<Vec<Client>, Trouble> {
    let rows = connection.rows("select registration from daypass.clients order by id", &[]).await?;
    let client =
        |row: &Row| serde_json::from_str(get::<&str>(row, 0)?).map_err(|_| corrupt("client registration"));
    Ok(rows.iter().map(client).collect::<Result<_, StoreError>>()?)
}

pub(crate) async fn add_client(tx: &Tx<'_>, client: &Client, source: &Source) -> Result<AddClient, Trouble> {
    let id = client.id.as_str();
    lock_version(tx, "clients").await?;
    let sql = "select exists (select 1 from daypass.clients where id = $1)";
    let row = tx.row(sql, &[(&id, Type::TEXT)]).await?;
    if id == daypass_core::client::BUILT_IN || row.map_or(Ok(false), |row| get(&row, 0))? {
        return Ok(AddClient::Taken);
    }
    let name = "insert into daypass.subjects (sub, is_client) values ($1, true) on conflict (sub) do nothing";
    if tx.execute(name, &[(&id, Type::TEXT)]).await? == 0 {
        return Ok(AddClient::IsSubject);
    }
    let registration = serde_json::to_string(client).map_err(|_| corrupt("client registration"))?;
    let sql = "insert into daypass.clients (id, registration) values ($1, $2)";
    tx.execute(sql, &[(&id, Type::TEXT), (&registration, Type::TEXT)]).await?;
    changed(tx, "clients").await?;
    let now = tx.moment().await?.now;
    feed::record(tx, &act(now, EventKind::ClientAdded, &client.id, source)).await?;
    Ok(AddClient::Added)
}

pub(crate) async fn remove_client(tx: &Tx<'_>, id: &ClientId, source: &Source) -> Result<bool, Trouble> {
    let name = id.as_str();
    lock_version(tx, "clients").await?;
    if tx.execute("delete from daypass.clients where id = $1", &[(&name, Type::TEXT)]).await? == 0 {
        return Ok(false);
    }
    let sql = "delete from daypass.subjects where sub = $1 and is_client";
    tx.execute(sql, &[(&name, Type::TEXT)]).await?;
    changed(tx, "clients").await?;
    let now = tx.moment().await?.now;
    feed::record(tx, &act(now, EventKind::ClientRemoved, id, source)).await?;
    Ok(true)
}

fn act(now: Timestamp, kind: EventKind, client: &ClientId, source: &Source) -> Event {
    Event { detail: source.detail.clone(), ..Event::new(now, kind) }
        .through(client)
        .from(source.address.as_deref())
}

pub(crate) async fn keys(connection: &Connection) -> Result<Vec<KeyRecord>, Trouble> {
    Ok(connection.rows(KEYS, &[]).await?.iter().map(key).collect::<Result<_, _>>()?)
}

fn key(row: &Row) -> Result<KeyRecord, StoreError> {
    let purpose = match get::<&str>(row, 1)? {
        name if name == KeyPurpose::AccessToken.name() => KeyPurpose::AccessToken,
        name if name == KeyPurpose::RefreshToken.name() => KeyPurpose::RefreshToken,
        _ => return Err(corrupt("key purpose")),
    };
    Ok(KeyRecord {
        id: get(row, 0)?,
        purpose,
        algorithm: get(row, 2)?,
        sealed: get(row, 3)?,
        created_at: time(row, 4)?,
        active_from: time(row, 5)?,
        retired_from: optional_time(row, 6)?,
    })
}

pub(crate) async fn add_key(tx: &Tx<'_>, request: &AddKey) -> Result<bool, Trouble> {
    if !may_change(tx, request.expected, request.fence).await? {
        return Ok(false);
    }
    let key = &request.key;
    let (purpose, from) = (key.purpose.name(), key.active_from.millis());
    let sql = "update daypass.keys set retired_from = $2 where purpose = $1 and retired_from is null";
    tx.execute(sql, &[(&purpose, Type::TEXT), (&from, Type::INT8)]).await?;
    let sql = "insert into daypass.keys (id, purpose, algorithm, sealed, created_at, active_from, retired_from) \
               values ($1, $2, $3, $4, $5, $6, $7)";
    let (created, retired) = (key.created_at.millis(), key.retired_from.map(Timestamp::millis));
    let values: [_; 7] = [
        (&key.id as _, Type::TEXT),
        (&purpose as _, Type::TEXT),
        (&key.algorithm as _, Type::TEXT),
        (&key.sealed as _, Type::BYTEA),
        (&created as _, Type::INT8),
        (&from as _, Type::INT8),
        (&retired as _, Type::INT8),
    ];
    tx.execute(sql, &values).await?;
    changed(tx, "keys").await?;
    let now = tx.moment().await?.now;
    let event = Event::new(now, EventKind::KeyRotated).from(request.source.address.as_deref());
    feed::record(tx, &event.saying(format!("{purpose} {} {}", key.algorithm, key.id))).await?;
    Ok(true)
}

pub(crate) async fn drop_key(tx: &Tx<'_>, request: &DropKey) -> Result<bool, Trouble> {
    if !may_change(tx, request.expected, request.fence).await? {
        return Ok(false);
    }
    let all = tx.rows(KEYS, &[]).await?.iter().map(key).collect::<Result<Vec<_>, _>>()?;
    let (dropped, left): (Vec<_>, Vec<_>) = all.into_iter().partition(|key| key.id == request.id);
    let Some(dropped) = dropped.first() else { return Ok(false) };
    tx.execute("delete from daypass.keys where id = $1", &[(&dropped.id, Type::TEXT)]).await?;
    if let Some(before) = dropped.predecessor(&left) {
        let retired = dropped.retired_from.map(Timestamp::millis);
        let sql = "update daypass.keys set retired_from = $2 where id = $1";
        tx.execute(sql, &[(&before.id, Type::TEXT), (&retired, Type::INT8)]).await?;
    }
    changed(tx, "keys").await?;
    Ok(true)
}

/// Whether a change of the keys that was worked out from a version, and under a lease or none, may be made. Both are
/// locked: whoever worked from an earlier one changes nothing.
async fn may_change(tx: &Tx<'_>, expected: u64, fence: Option<u64>) -> Result<bool, Trouble> {
    if lock_version(tx, "keys").await? != expected {
        return Ok(false);
    }
    let Some(fence) = fence else { return Ok(true) };
    let row = tx.row("select fence from daypass.lease for share", &[]).await?;
    let row = row.ok_or_else(|| corrupt("lease"))?;
    Ok(number::<i64, u64>(&row, 0, "lease")? == fence)
}

pub(crate) async fn lease(tx: &Tx<'_>, holder: [u8; 16], time: Duration) -> Result<Option<Lease>, Trouble> {
    let row = tx.row("select holder, fence, until from daypass.lease for update", &[]).await?;
    let row = row.ok_or_else(|| corrupt("lease"))?;
    let last = get::<Option<Id>>(&row, 0)?.map_or([0; 16], |Id(holder)| holder);
    let kept = KeptLease {
        holder: last,
        fence: number::<i64, _>(&row, 1, "lease")?,
        until: crate::rows::time(&row, 2)?,
    };
    let now = tx.moment().await?.now;
    let Some(given) = kept.given(holder, now, time) else { return Ok(None) };
    let (fence, until) = (i64::try_from(given.fence).map_err(|_| corrupt("lease"))?, given.until.millis());
    let values: [_; 3] =
        [(&Id(holder) as _, Type::UUID), (&fence as _, Type::INT8), (&until as _, Type::INT8)];
    tx.execute("update daypass.lease set holder = $1, fence = $2, until = $3", &values).await?;
    Ok(Some(Lease { fence: given.fence, now }))
}

async fn lock_version(tx: &Tx<'_>, what: &str) -> Result<u64, Trouble> {
    let sql = "select value from daypass.versions where what = $1 for update";
    let row = tx.row(sql, &[(&what, Type::TEXT)]).await?.ok_or_else(|| corrupt("version"))?;
    Ok(u64::try_from(get::<i64>(&row, 0)?).map_err(|_| corrupt("version"))?)
}

/// Counts a change of `what`.
pub(crate) async fn changed(tx: &Tx<'_>, what: &str) -> Result<(), Trouble> {
    let sql = "update daypass.versions set value = value + 1 where what = $1";
    tx.execute(sql, &[(&what, Type::TEXT)]).await.map(drop)
}

pub(crate) async fn versions(connection: &Connection) -> Result<Versions, Trouble> {
    let mut versions = Versions::default();
    for row in connection.rows("select what, value from daypass.versions", &[]).await? {
        let value = u64::try_from(get::<i64>(&row, 1)?).map_err(|_| corrupt("version"))?;
        match get::<&str>(&row, 0)? {
            "clients" => versions.clients = value,
            "keys" => versions.keys = value,
            _ => {}
        }
    }
    Ok(versions)
}

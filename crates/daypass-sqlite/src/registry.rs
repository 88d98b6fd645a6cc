//! Registered clients, and keys.

use std::time::Duration;

use daypass_core::{Client, ClientId, Event, EventKind, Timestamp};
use daypass_storage::{
    AddClient, AddKey, DropKey, KeptLease, KeyPurpose, KeyRecord, Lease, Source, StoreResult, Versions,
};
use rusqlite::{Connection, Row};

use crate::feed;
use crate::rows::{corrupt, get, optional_time, store_error, text, time};
use crate::writer::Tx;

/// Whether `name` is a client's, the built-in one included.
pub(crate) fn is_client(conn: &Connection, name: &str) -> StoreResult<bool> {
    let sql = "select exists (select 1 from clients where id = ?1)";
    let mut statement = conn.prepare_cached(sql).map_err(store_error)?;
    let registered: bool = statement.query_row([name], |row| row.get(0)).map_err(store_error)?;
    Ok(registered || name == daypass_core::client::BUILT_IN)
}

pub(crate) fn clients(conn: &Connection) -> StoreResult<Vec<Client>> {
    let mut statement =
        conn.prepare_cached("select registration from clients order by id").map_err(store_error)?;
    let mut rows = statement.query([]).map_err(store_error)?;
    let mut clients = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        clients.push(serde_json::from_str(text(row, 0)?).map_err(|_| corrupt("client registration"))?);
    }
    Ok(clients)
}

pub(crate) fn add_client(tx: &Tx<'_>, client: &Client, source: Source) -> StoreResult<AddClient> {
    if is_client(tx.conn, client.id.as_str())? {
        return Ok(AddClient::Taken);
    }
    let sql = "select exists (select 1 from subjects where sub = ?1)";
    if tx.conn.query_row(sql, [client.id.as_str()], |row| row.get(0)).map_err(store_error)? {
        return Ok(AddClient::IsSubject);
    }
    let registration = serde_json::to_string(client).map_err(|_| corrupt("client registration"))?;
    tx.execute("insert into clients (id, registration) values (?1, ?2)", (client.id.as_str(), registration))?;
    changed(tx, "clients_version")?;
    feed::record(tx, &act(tx.now, EventKind::ClientAdded, &client.id, source))?;
    Ok(AddClient::Added)
}

pub(crate) fn remove_client(tx: &Tx<'_>, id: &ClientId, source: Source) -> StoreResult<bool> {
    if tx.execute("delete from clients where id = ?1", [id.as_str()])? == 0 {
        return Ok(false);
    }
    changed(tx, "clients_version")?;
    feed::record(tx, &act(tx.now, EventKind::ClientRemoved, id, source))?;
    Ok(true)
}

fn act(now: Timestamp, kind: EventKind, client: &ClientId, source: Source) -> Event {
    Event { detail: source.detail, ..Event::new(now, kind) }.through(client).from(source.address.as_deref())
}

pub(crate) fn keys(conn: &Connection) -> StoreResult<Vec<KeyRecord>> {
    let sql = "select id, purpose, algorithm, sealed, created_at, active_from, retired_from from keys \
               order by active_from, id";
    let mut statement = conn.prepare_cached(sql).map_err(store_error)?;
    let mut rows = statement.query([]).map_err(store_error)?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        keys.push(key(row)?);
    }
    Ok(keys)
}

fn key(row: &Row<'_>) -> StoreResult<KeyRecord> {
    let purpose = match text(row, 1)? {
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

pub(crate) fn add_key(tx: &Tx<'_>, request: &AddKey) -> StoreResult<bool> {
    if !may_change(tx, request.expected, request.fence)? {
        return Ok(false);
    }
    let key = &request.key;
    let purpose = key.purpose.name();
    let from = key.active_from.millis();
    tx.execute(
        "update keys set retired_from = ?2 where purpose = ?1 and retired_from is null",
        (purpose, from),
    )?;
    let sql = "insert into keys (id, purpose, algorithm, sealed, created_at, active_from, retired_from) \
               values (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let (created, retired) = (key.created_at.millis(), key.retired_from.map(Timestamp::millis));
    tx.execute(sql, (&key.id, purpose, &key.algorithm, &key.sealed, created, from, retired))?;
    changed(tx, "keys_version")?;
    let event = Event::new(tx.now, EventKind::KeyRotated).from(request.source.address.as_deref());
    feed::record(tx, &event.saying(format!("{purpose} {} {}", key.algorithm, key.id)))?;
    Ok(true)
}

pub(crate) fn drop_key(tx: &Tx<'_>, request: &DropKey) -> StoreResult<bool> {
    if !may_change(tx, request.expected, request.fence)? {
        return Ok(false);
    }
    let (dropped, left): (Vec<_>, Vec<_>) = keys(tx.conn)?.into_iter().partition(|key| key.id == request.id);
    let Some(dropped) = dropped.first() else { return Ok(false) };
    tx.execute("delete from keys where id = ?1", [&dropped.id])?;
    if let Some(before) = dropped.predecessor(&left) {
        let retired = dropped.retired_from.map(Timestamp::millis);
        tx.execute("update keys set retired_from = ?2 where id = ?1", (&before.id, retired))?;
    }
    changed(tx, "keys_version")?;
    Ok(true)
}

/// Whether a change of the keys that was worked out from a version, and under a lease or none, may be made.
fn may_change(tx: &Tx<'_>, expected: u64, fence: Option<u64>) -> StoreResult<bool> {
    let given = || tx.conn.query_row("select fence from lease", [], |row| row.get::<_, u64>(0));
    Ok(versions(tx.conn)?.keys == expected
        && fence.map_or(Ok(true), |fence| given().map(|given| given == fence)).map_err(store_error)?)
}

pub(crate) fn lease(tx: &Tx<'_>, holder: [u8; 16], time: Duration) -> StoreResult<Option<Lease>> {
    let kept = tx.conn.query_row("select holder, fence, until from lease", [], |row| {
        // Nobody's is empty.
        let holder = row.get::<_, Vec<u8>>(0)?.try_into().unwrap_or_default();
        Ok(KeptLease { holder, fence: row.get(1)?, until: Timestamp::from_millis(row.get(2)?) })
    });
    let Some(given) = kept.map_err(store_error)?.given(holder, tx.now, time) else { return Ok(None) };
    let values = (holder, given.fence, given.until.millis());
    tx.execute("update lease set holder = ?1, fence = ?2, until = ?3", values)?;
    Ok(Some(Lease { fence: given.fence, now: tx.now }))
}

fn changed(tx: &Tx<'_>, counter: &str) -> StoreResult<()> {
    tx.execute("update meta set value = value + 1 where key = ?1", [counter]).map(|_| ())
}

pub(crate) fn versions(conn: &Connection) -> StoreResult<Versions> {
    Ok(Versions { clients: meta(conn, "clients_version")?, keys: meta(conn, "keys_version")? })
}

pub(crate) fn meta<T: rusqlite::types::FromSql>(conn: &Connection, key: &str) -> StoreResult<T> {
    let mut statement = conn.prepare_cached("select value from meta where key = ?1").map_err(store_error)?;
    statement.query_row([key], |row| row.get(0)).map_err(store_error)
}

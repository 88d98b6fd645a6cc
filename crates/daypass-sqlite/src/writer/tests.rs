//! Batches on a database, and what goes wrong in one.

use daypass_core::{ClientId, Clock, NewSession, Origin, Scope, SessionId, SubjectId, Timestamp, TokenKeyId};
use daypass_storage::Opened;
use rusqlite::Connection;

use super::jobs::Job;
use super::*;
use crate::schema::{self, Durability};
use crate::{checkpoint, sessions};

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000)
    }
}

fn thread(folder: &tempfile::TempDir) -> Thread {
    let path = folder.path().join("a.db");
    let mut conn = schema::writer(&path, 1 << 20, Durability::Off).unwrap();
    schema::migrate(&mut conn, &path).unwrap();
    let (gauge, _checkpointer) = checkpoint::start(&path, Durability::Off).unwrap();
    Thread {
        conn,
        clock: Arc::new(Fixed),
        observer: Arc::new(()),
        batch: 8,
        gauge,
        time: super::Timeline::START,
        failed: Arc::default(),
    }
}

type Answer<T> = oneshot::Receiver<StoreResult<T>>;

fn call<T: Send + 'static>(
    write: impl FnOnce(&Tx<'_>) -> StoreResult<T> + Send + 'static,
) -> (Box<dyn Job>, Answer<T>) {
    let (reply, answer) = oneshot::channel();
    (Box::new(Call::new(write, reply)), answer)
}

/// A sign-in that takes about a page.
fn sign_in(number: u32) -> (Box<dyn Job>, Answer<SessionId>) {
    call(move |tx| {
        let mut random = [0; 10];
        random[..4].copy_from_slice(&(number << 4).to_be_bytes().map(u8::reverse_bits));
        let new = NewSession {
            random,
            subject: SubjectId::new(&format!("s{number}")).unwrap(),
            client: ClientId::new("daypass").unwrap(),
            scope: Scope::empty(),
            amr: "pwd".to_owned(),
            auth_time: None,
            life: None,
            jkt: None,
            token_key: TokenKeyId(0),
        };
        let origin = Origin { user_agent: Some("x".repeat(3_000)), ..Origin::default() };
        match sessions::open(tx, &new, &origin, None)? {
            Opened::Session(session, _) => Ok(session.id),
            refused => panic!("no session was opened: {refused:?}"),
        }
    })
}

fn number(conn: &Connection, sql: &str) -> i64 {
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn assert_only_these_are_there(conn: &Connection, ids: &[SessionId]) {
    let there = i64::try_from(ids.len()).unwrap();
    assert_eq!(number(conn, "select count(*) from sessions"), there);
    assert_eq!(number(conn, "select count(*) from origins"), there);
    assert_eq!(number(conn, "select count(*) from events"), there);
    assert_eq!(number(conn, "select count(*) from subjects"), there);
    assert_eq!(number(conn, "select value from meta where key = 'session_count'"), there);
    for id in ids {
        assert!(crate::rotate::find(conn, *id).unwrap().is_some());
    }
}

#[test]
fn what_a_full_database_undid_is_not_done_by_half() {
    let folder = tempfile::tempdir().unwrap();
    let mut thread = thread(&folder);
    let limit = number(&thread.conn, "pragma page_count") + 60;
    thread.conn.pragma_update(None, "max_page_count", limit).unwrap();
    let (mut done, mut refused) = (Vec::new(), 0);
    for batch in 0..20 {
        let (mut jobs, answers): (Vec<_>, Vec<_>) = (0..8).map(|job| sign_in(batch * 8 + job)).unzip();
        transact(&mut thread, &mut jobs);
        for mut answer in answers {
            match answer.try_recv().unwrap() {
                Ok(id) => done.push(id),
                Err(StoreError::Unavailable(_)) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_only_these_are_there(&thread.conn, &done);
    }
    assert!(done.len() > 8 && refused > 8, "{} {refused}", done.len());
    assert!(thread.failed.load(Ordering::Relaxed));

    thread.conn.pragma_update(None, "max_page_count", i64::from(u32::MAX) - 1).unwrap();
    let (job, mut answer) = sign_in(1_000);
    transact(&mut thread, &mut vec![job]);
    done.push(answer.try_recv().unwrap().unwrap());
    assert_only_these_are_there(&thread.conn, &done);
}

#[test]
fn nothing_runs_in_a_transaction_that_was_undone() {
    let folder = tempfile::tempdir().unwrap();
    let mut thread = thread(&folder);
    let (before, mut before_answer) = sign_in(1);
    // What SQLite does by itself when it cannot go on.
    let (undoing, mut undoing_answer) = call(|tx| {
        tx.conn.execute_batch("rollback").unwrap();
        tx.execute("insert into meta values ('left', 1)", []).map(drop)
    });
    let (after, mut after_answer) = sign_in(2);
    transact(&mut thread, &mut vec![before, undoing, after]);
    assert!(matches!(before_answer.try_recv().unwrap(), Err(StoreError::Unavailable(_))));
    assert!(matches!(undoing_answer.try_recv().unwrap(), Err(StoreError::Unavailable(_))));
    assert!(matches!(after_answer.try_recv().unwrap(), Err(StoreError::Unavailable(_))));
    assert_eq!(number(&thread.conn, "select count(*) from meta where key = 'left'"), 0);
    assert_only_these_are_there(&thread.conn, &[]);
}

#[test]
fn a_write_that_panics_is_undone_and_the_next_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut thread = thread(&folder);
    let (before, mut before_answer) = sign_in(1);
    let (panics, mut panics_answer) = call(|tx| -> StoreResult<()> {
        tx.execute("insert into meta values ('left', 1)", [])?;
        panic!("as this test wants")
    });
    let (after, mut after_answer) = sign_in(2);
    transact(&mut thread, &mut vec![before, panics, after]);
    assert!(matches!(before_answer.try_recv().unwrap(), Err(StoreError::Unavailable(_))));
    assert!(matches!(panics_answer.try_recv().unwrap(), Err(StoreError::Unavailable(_))));
    assert!(matches!(after_answer.try_recv().unwrap(), Err(StoreError::Unavailable(_))));
    assert_eq!(number(&thread.conn, "select count(*) from meta where key = 'left'"), 0);
    assert_only_these_are_there(&thread.conn, &[]);
    let (again, mut again_answer) = sign_in(1);
    transact(&mut thread, &mut vec![again]);
    assert_only_these_are_there(&thread.conn, &[again_answer.try_recv().unwrap().unwrap()]);
}

//! `daypass session`: who is signed in, and ending it.

use std::io::Write;

use clap::Subcommand;
use daypass_service::core::{EndingReason, SessionId, SubjectId};
use daypass_service::storage::{EndOutcome, SessionEntry, Source, Store, Username};
use serde_json::json;

use crate::config::Config;
use crate::hosted::Failure;
use crate::terminal::{printable, show_json, show_table, utc};
use crate::{open, user};

/// The most sessions of one person that are listed, the newest.
const MOST_LISTED: usize = 1000;

#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// List live sessions: a person's, or those of everybody who signs in with a password
    List {
        /// Whose, by name
        #[arg(value_name = "NAME", conflicts_with = "sub")]
        user: Option<Username>,
        /// Whose, by `sub`
        #[arg(long)]
        sub: Option<SubjectId>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// End one session, or all of a person's
    Revoke {
        /// The session
        #[arg(required_unless_present_any = ["user", "sub"], conflicts_with_all = ["user", "sub"])]
        id: Option<SessionId>,
        /// End all sessions of this person, by name
        #[arg(long, value_name = "NAME", conflicts_with = "sub")]
        user: Option<Username>,
        /// End all sessions of this person, by `sub`
        #[arg(long)]
        sub: Option<SubjectId>,
    },
}

pub(crate) async fn run(
    command: SessionCommand,
    config: &Config,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let store = open::plain_store(config).await?;
    match command {
        SessionCommand::List { user, sub, json } => {
            let subjects = if user.is_none() && sub.is_none() {
                user::everybody(&*store).await?.into_iter().map(|user| user.subject.id).collect()
            } else {
                vec![whose(&*store, user, sub).await?]
            };
            let mut sessions = Vec::new();
            for sub in &subjects {
                sessions.extend(store.sessions_of(sub, MOST_LISTED).await?);
            }
            list(&sessions, json, out)
        }
        SessionCommand::Revoke { id: Some(id), .. } => {
            let told =
                match store.end_session(id, None, EndingReason::Revoked, Source::command_line()).await? {
                    EndOutcome::Ended => "is over",
                    EndOutcome::AlreadyEnded => "was over already",
                    EndOutcome::NotFound => return Err(format!("there is no session {id}").into()),
                };
            Ok(writeln!(out, "Session {id} {told}.")?)
        }
        SessionCommand::Revoke { id: None, user, sub } => {
            let sub = whose(&*store, user, sub).await?;
            store.end_sessions_of(sub.clone(), None, EndingReason::Revoked, Source::command_line()).await?;
            Ok(writeln!(out, "All sessions of {sub} are over.")?)
        }
    }
}

async fn whose(
    store: &dyn Store,
    user: Option<Username>,
    sub: Option<SubjectId>,
) -> Result<SubjectId, Failure> {
    match (user, sub) {
        (Some(name), _) => Ok(user::find(store, &name).await?.subject.id),
        (None, Some(sub)) => Ok(sub),
        (None, None) => Err("say whose sessions".into()),
    }
}

fn list(sessions: &[SessionEntry], json: bool, out: &mut impl Write) -> Result<(), Failure> {
    if json {
        let items: Vec<_> = sessions.iter().map(describe).collect();
        return show_json(&json!({ "items": items }), out);
    }
    let row = |entry: &SessionEntry| {
        let (session, origin) = (&entry.session, &entry.origin);
        let device = origin.label.as_deref().or(origin.user_agent.as_deref()).unwrap_or("-");
        [
            session.id.to_string(),
            session.subject.to_string(),
            session.client.to_string(),
            printable(device).chars().take(40).collect(),
            origin.address.clone().unwrap_or_else(|| "-".to_owned()),
            utc(session.start().millis()),
            utc(session.rotation.seen_at.millis()),
            session.expires_at.map_or_else(|| "-".to_owned(), |end| utc(end.millis())),
        ]
    };
    let rows: Vec<_> = sessions.iter().map(row).collect();
    show_table(["SESSION", "SUB", "CLIENT", "DEVICE", "ADDRESS", "STARTED", "SEEN", "ENDS"], &rows, out)
}

fn describe(entry: &SessionEntry) -> serde_json::Value {
    let (session, origin) = (&entry.session, &entry.origin);
    json!({
        "id": session.id,
        "sub": session.subject,
        "client_id": session.client,
        "label": origin.label,
        "user_agent": origin.user_agent,
        "address": origin.address,
        "created_at": session.start().seconds(),
        "seen_at": session.rotation.seen_at.seconds(),
        "expires_at": session.expires_at.map(daypass_service::core::Timestamp::seconds),
    })
}

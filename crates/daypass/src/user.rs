//! `daypass user`: the people who sign in.

use std::io::{IsTerminal as _, Read as _, Write};

use clap::{Args, Subcommand};
use daypass_service::core::{Claims, Scope};
use daypass_service::storage::{PasswordChange, Source, Store, SubjectChange, User, Username};
use daypass_service::{ADMIN_SCOPE, AddPerson, Secret, checked_hash};
use serde_json::json;

use crate::config::Config;
use crate::hosted::Failure;
use crate::open;
use crate::system::{SystemClock, SystemEntropy};
use crate::terminal::{printable, show_json, show_table, utc};

/// How many people are read at a time.
const PAGE: usize = 500;

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add somebody
    Add(AddArgs),
    /// List everybody
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Keep somebody from signing in, and end all their sessions
    Disable {
        /// Who
        name: Username,
    },
    /// Let somebody sign in again
    Enable {
        /// Who
        name: Username,
    },
    /// Change somebody's password, and end all their sessions
    SetPassword {
        /// Who
        name: Username,
        /// Read the password from the standard input instead of asking for it
        #[arg(long)]
        password_stdin: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct AddArgs {
    /// The name to sign in with
    name: Username,
    /// Read the password from the standard input instead of asking for it
    #[arg(long)]
    password_stdin: bool,
    /// Claims for access tokens, a JSON object such as '{"name":"Ada"}'
    #[arg(long, value_name = "JSON", value_parser = claims)]
    claims: Option<Claims>,
    /// Scopes that the person may be granted, separated by spaces
    #[arg(long, value_name = "SCOPES")]
    scope: Option<Scope>,
    /// Let the person administer the service: the scope daypass:admin
    #[arg(long)]
    admin: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn claims(text: &str) -> Result<Claims, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

pub(crate) async fn run(command: UserCommand, config: &Config, out: &mut impl Write) -> Result<(), Failure> {
    match command {
        UserCommand::Add(args) => add(args, config, out).await,
        UserCommand::List { json } => list(config, json, out).await,
        UserCommand::Disable { name } => set_disabled(&name, true, config, out).await,
        UserCommand::Enable { name } => set_disabled(&name, false, config, out).await,
        UserCommand::SetPassword { name, password_stdin } => {
            set_password(&name, password_stdin, config, out).await
        }
    }
}

async fn add(args: AddArgs, config: &Config, out: &mut impl Write) -> Result<(), Failure> {
    let store = open::plain_store(config).await?;
    if store.user(&args.name).await?.is_some() {
        return Err(format!("there is a user {} already", args.name).into());
    }
    let admin: Scope = if args.admin { ADMIN_SCOPE.parse()? } else { Scope::empty() };
    let person = AddPerson {
        name: args.name.clone(),
        password: password(args.password_stdin)?,
        claims: args.claims.unwrap_or_default(),
        scope: args.scope.unwrap_or_else(Scope::empty).union(&admin),
    };
    let sub = person.add(&store, &SystemClock, &SystemEntropy, Source::command_line()).await?;
    if args.json {
        return show_json(&json!({ "username": args.name.as_str(), "sub": sub }), out);
    }
    Ok(writeln!(out, "Added {} as {sub}.", args.name)?)
}

async fn list(config: &Config, json: bool, out: &mut impl Write) -> Result<(), Failure> {
    let store = open::plain_store(config).await?;
    let users = everybody(&*store).await?;
    if json {
        let items: Vec<_> = users.iter().map(describe).collect();
        return show_json(&json!({ "items": items }), out);
    }
    let row = |user: &User| {
        let state = if user.subject.disabled { "disabled" } else { "active" };
        let scope = user.subject.scope.to_string();
        [
            printable(user.name.as_str()),
            user.subject.id.to_string(),
            state.into(),
            scope,
            utc(user.created_at.millis()),
        ]
    };
    let rows: Vec<_> = users.iter().map(row).collect();
    show_table(["NAME", "SUB", "STATE", "SCOPE", "ADDED"], &rows, out)
}

/// Everybody who signs in with a password.
pub(crate) async fn everybody(store: &dyn Store) -> Result<Vec<User>, Failure> {
    let mut users: Vec<User> = Vec::new();
    loop {
        let after = users.last().map(|user| user.name.clone());
        let page = store.users(after, PAGE).await?;
        let last = page.len() < PAGE;
        users.extend(page);
        if last {
            return Ok(users);
        }
    }
}

fn describe(user: &User) -> serde_json::Value {
    json!({
        "username": user.name.as_str(),
        "sub": user.subject.id,
        "disabled": user.subject.disabled,
        "scope": user.subject.scope,
        "claims": user.subject.claims,
        "created_at": user.created_at.seconds(),
    })
}

async fn set_disabled(
    name: &Username,
    disabled: bool,
    config: &Config,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let store = open::plain_store(config).await?;
    let user = find(&*store, name).await?;
    let change = SubjectChange { disabled: Some(disabled), ..SubjectChange::default() };
    store.change_subject(user.subject.id, change, Source::command_line()).await?;
    let told =
        if disabled { "cannot sign in any more; all sessions have ended" } else { "can sign in again" };
    Ok(writeln!(out, "{name} {told}.")?)
}

async fn set_password(
    name: &Username,
    stdin: bool,
    config: &Config,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let store = open::plain_store(config).await?;
    let user = find(&*store, name).await?;
    let hash = checked_hash(&password(stdin)?, &SystemEntropy)?;
    let change = PasswordChange::New { hash, from: None, keep: None };
    if !store.set_password(user.subject.id, change, Source::command_line()).await? {
        return Err(format!("{name} was removed meanwhile").into());
    }
    Ok(writeln!(out, "{name} has a new password; all sessions have ended.")?)
}

/// The person of that name.
pub(crate) async fn find(store: &dyn Store, name: &Username) -> Result<User, Failure> {
    store.user(name).await?.ok_or_else(|| format!("there is no user {name}").into())
}

/// A password: the standard input up to its end, less one line end; or asked for twice.
fn password(stdin: bool) -> Result<Secret, Failure> {
    if stdin {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        let text = Secret::new(text);
        let line = text.expose();
        let line = line.strip_suffix('\n').unwrap_or(line);
        return Ok(Secret::new(line.strip_suffix('\r').unwrap_or(line).to_owned()));
    }
    if !std::io::stdin().is_terminal() {
        return Err("there is no terminal to ask for a password at: use --password-stdin".into());
    }
    let first = Secret::new(rpassword::prompt_password("Password: ")?);
    let second = Secret::new(rpassword::prompt_password("Once more: ")?);
    if first.expose() == second.expose() { Ok(first) } else { Err("the two passwords differ".into()) }
}

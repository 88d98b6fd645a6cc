//! `daypass client`: the programs that may use the service.

use std::io::Write;

use clap::{Args, Subcommand, ValueEnum};
use daypass_service::core::client::Ttl;
use daypass_service::core::{Client, ClientId, ClientKind, Grant, OnReuse, Scope};
use daypass_service::storage::{AddClient, Source};
use daypass_service::{NewClient, Secret};
use serde_json::json;

use crate::config::Config;
use crate::hosted::Failure;
use crate::open;
use crate::system::SystemEntropy;
use crate::terminal::{show_json, show_table};

#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Register a client; a confidential one's secret is shown this once
    Add(AddArgs),
    /// List the registered clients
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a client; its sessions are refused from then on
    Remove {
        /// Its id
        id: ClientId,
    },
}

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct AddArgs {
    /// Its id
    id: ClientId,
    /// Whether it can keep a secret
    #[arg(long = "type", value_name = "TYPE", default_value = "confidential")]
    kind: Kind,
    /// The same as --type public
    #[arg(long, conflicts_with_all = ["kind", "confidential"])]
    public: bool,
    /// The same as --type confidential
    #[arg(long, conflicts_with = "kind")]
    confidential: bool,
    /// What its tokens may be used for: several scopes are separated by spaces or commas
    #[arg(long = "scope", visible_alias = "scopes", value_name = "SCOPES")]
    scopes: Vec<String>,
    /// What it may ask the token endpoint for [default: refresh_token, and client_credentials for
    /// confidential clients]
    #[arg(long = "grant", visible_alias = "grants", value_name = "GRANT", value_delimiter = ',')]
    grants: Vec<GrantName>,
    /// The `aud` of its access tokens
    #[arg(long, value_name = "URI")]
    audience: Option<String>,
    /// Claims of the subject that its access tokens carry; * for all
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    claims: Vec<String>,
    /// Let it sign people in with their passwords: only for the operator's own programs
    #[arg(long)]
    first_party: bool,
    /// Life of its access tokens, in seconds, at most 3600
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    access: Option<u64>,
    /// Life of its sessions, in seconds; 0 for sessions without end
    #[arg(long, value_name = "SECONDS")]
    session: Option<u64>,
    /// Longest time without a renewal, in seconds; 0 for any
    #[arg(long, value_name = "SECONDS")]
    idle: Option<u64>,
    /// Grace for repeats without attempt ids, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=60))]
    grace: Option<u64>,
    /// What reuse of a refresh token ends
    #[arg(long, value_name = "WHAT")]
    on_reuse: Option<Ends>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Public,
    Confidential,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum GrantName {
    RefreshToken,
    ClientCredentials,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Ends {
    Subject,
    Session,
}

pub(crate) async fn run(
    command: ClientCommand,
    config: &Config,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let store = open::plain_store(config).await?;
    match command {
        ClientCommand::Add(args) => {
            let json = args.json;
            let new = NewClient { client: registration(args)? };
            let client = new.client.clone();
            let (added, secret) = new.register(&store, &SystemEntropy, Source::command_line()).await?;
            match added {
                AddClient::Added => show_added(&client, secret, json, out),
                AddClient::Taken => Err(format!("there is a client {} already", client.id).into()),
                AddClient::IsSubject => Err(format!("{} is the `sub` of a person", client.id).into()),
            }
        }
        ClientCommand::List { json } => list(&store.clients().await?, json, out),
        ClientCommand::Remove { id } => {
            if !store.remove_client(id.clone(), Source::command_line()).await? {
                return Err(format!("there is no registered client {id}").into());
            }
            Ok(writeln!(out, "Removed {id}; its sessions are refused from now on.")?)
        }
    }
}

fn registration(args: AddArgs) -> Result<Client, Failure> {
    let kind = match args.kind {
        _ if args.public => ClientKind::Public,
        Kind::Public => ClientKind::Public,
        Kind::Confidential => ClientKind::Confidential,
    };
    let grants: Vec<Grant> = if args.grants.is_empty() {
        match kind {
            ClientKind::Public => vec![Grant::RefreshToken],
            ClientKind::Confidential => vec![Grant::RefreshToken, Grant::ClientCredentials],
        }
    } else {
        args.grants.iter().map(|grant| grant.resolved()).collect()
    };
    if kind == ClientKind::Public && grants.contains(&Grant::ClientCredentials) {
        return Err(
            "a public client has no credentials: client_credentials is for confidential clients".into()
        );
    }
    let scopes = args.scopes.join(" ").replace(',', " ");
    let scopes: Scope = scopes.split_whitespace().collect::<Vec<_>>().join(" ").parse()?;
    Ok(Client {
        first_party: args.first_party,
        grants,
        scopes,
        audience: args.audience,
        claims: args.claims,
        ttl: Ttl { access: args.access, session: args.session, idle: args.idle, grace: args.grace },
        on_reuse: args.on_reuse.map(|ends| match ends {
            Ends::Subject => OnReuse::Subject,
            Ends::Session => OnReuse::Session,
        }),
        ..Client::new(args.id, kind)
    })
}

impl GrantName {
    const fn resolved(self) -> Grant {
        match self {
            Self::RefreshToken => Grant::RefreshToken,
            Self::ClientCredentials => Grant::ClientCredentials,
        }
    }
}

fn show_added(
    client: &Client,
    secret: Option<Secret>,
    json: bool,
    out: &mut impl Write,
) -> Result<(), Failure> {
    if json {
        let mut shown = describe(client);
        if let (Some(members), Some(secret)) = (shown.as_object_mut(), &secret) {
            members.insert("client_secret".to_owned(), secret.expose().into());
        }
        return show_json(&shown, out);
    }
    writeln!(out, "Registered {}.", client.id)?;
    if let Some(secret) = secret {
        writeln!(out, "Its secret, shown this once:\n\n    {}\n", secret.expose())?;
    }
    Ok(())
}

fn list(clients: &[Client], json: bool, out: &mut impl Write) -> Result<(), Failure> {
    if json {
        let items: Vec<_> = clients.iter().map(describe).collect();
        return show_json(&json!({ "items": items }), out);
    }
    let row = |client: &Client| {
        let kind = match client.kind {
            ClientKind::Public => "public",
            ClientKind::Confidential => "confidential",
        };
        let grants: Vec<&str> = client
            .grants
            .iter()
            .map(|grant| match grant {
                Grant::RefreshToken => "refresh_token",
                Grant::ClientCredentials => "client_credentials",
            })
            .collect();
        let first_party = if client.first_party { "yes" } else { "no" };
        [client.id.to_string(), kind.into(), first_party.into(), grants.join(" "), client.scopes.to_string()]
    };
    let rows: Vec<_> = clients.iter().map(row).collect();
    show_table(["CLIENT", "TYPE", "FIRST PARTY", "GRANTS", "SCOPES"], &rows, out)
}

/// A registration as the admin API shows it: without secrets.
fn describe(client: &Client) -> serde_json::Value {
    json!({
        "client_id": client.id,
        "type": client.kind,
        "first_party": client.first_party,
        "disabled": client.disabled,
        "grants": client.grants,
        "scopes": client.scopes,
        "audience": client.audience,
        "redirect_uris": client.redirect_uris,
        "claims": client.claims,
        "ttl": client.ttl,
        "on_reuse": client.on_reuse,
    })
}

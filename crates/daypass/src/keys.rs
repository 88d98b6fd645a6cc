//! `daypass keys`: what signs access tokens and tags refresh tokens.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use daypass_service::core::Clock as _;
use daypass_service::jwt::{Algorithm, SigningKey};
use daypass_service::{Activation, KeyView};
use serde_json::json;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::hosted::Failure;
use crate::open;
use crate::system::SystemClock;
use crate::terminal::{show_json, show_table, utc};

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// List the keys, without their private parts
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a new signing key and a new refresh-token secret
    Rotate {
        /// Use them at once instead of publishing them ahead
        #[arg(long)]
        now: bool,
    },
    /// Withdraw a signing key that has leaked, after `rotate --now`: its tokens are refused as soon as
    /// verifiers have noticed
    Remove {
        /// The key
        id: String,
    },
    /// Make a master key for a deployment on a database; every node needs the same one
    NewMaster,
    /// Bring in a signing key
    Import {
        /// Its algorithm: ES256, Ed25519, RS256, PS256 or HS256
        #[arg(long, value_name = "ALG")]
        alg: Algorithm,
        /// The shared secret of HS256, as it stands in the file; at least 32 bytes
        #[arg(long, value_name = "FILE", required_if_eq("alg", "HS256"), conflicts_with = "key_file")]
        secret_file: Option<PathBuf>,
        /// The private key, PKCS#8 in PEM
        #[arg(long, value_name = "FILE", required_unless_present = "secret_file")]
        key_file: Option<PathBuf>,
        /// Use it at once instead of publishing it ahead
        #[arg(long)]
        now: bool,
    },
}

pub(crate) async fn run(command: KeysCommand, config: &Config, out: &mut impl Write) -> Result<(), Failure> {
    if matches!(command, KeysCommand::NewMaster) {
        let path = open::new_master_key(config)?.display();
        return Ok(writeln!(out, "Made the master key {path}. Give it to every node, and keep it safe.")?);
    }
    let keeper = open::keeper(config).await?;
    let at = |now| if now { Activation::Now } else { Activation::Published };
    match command {
        KeysCommand::List { json } => list(&keeper.list(SystemClock.now()).await?, json, out),
        KeysCommand::Rotate { now } => {
            keeper.ensure(SystemClock.now()).await?;
            keeper.rotate(SystemClock.now(), at(now)).await?;
            list(&keeper.list(SystemClock.now()).await?, false, out)
        }
        KeysCommand::Remove { id } => {
            keeper.withdraw(&id, SystemClock.now()).await?;
            Ok(writeln!(out, "Withdrew {id}.")?)
        }
        KeysCommand::NewMaster => Ok(()),
        KeysCommand::Import { alg, secret_file, key_file, now } => {
            let key = match (secret_file, key_file) {
                (Some(file), _) if alg == Algorithm::HS256 => {
                    SigningKey::from_private(alg, trimmed(&read(&file)?))?
                }
                (None, Some(file)) if alg != Algorithm::HS256 => {
                    let pem = read(&file)?;
                    SigningKey::from_pem(alg, std::str::from_utf8(&pem)?)?
                }
                _ => return Err("HS256 takes --secret-file, every other algorithm --key-file".into()),
            };
            keeper.import(&key, SystemClock.now(), at(now)).await?;
            if alg != config.tokens.algorithm {
                let other = config.tokens.algorithm;
                writeln!(
                    out,
                    "Note: set tokens.algorithm = \"{alg}\", or a service set to {other} will replace it."
                )?;
            }
            list(&keeper.list(SystemClock.now()).await?, false, out)
        }
    }
}

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let content = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(Zeroizing::new(content))
}

/// A secret without the line end that an editor put after it.
fn trimmed(secret: &[u8]) -> &[u8] {
    let secret = secret.strip_suffix(b"\n").unwrap_or(secret);
    secret.strip_suffix(b"\r").unwrap_or(secret)
}

fn list(keys: &[KeyView], json: bool, out: &mut impl Write) -> Result<(), Failure> {
    if json {
        let describe = |key: &KeyView| {
            json!({
                "id": key.id,
                "purpose": key.purpose,
                "algorithm": key.algorithm,
                "state": key.state.name(),
                "since": key.active_from.seconds(),
                "until": key.retired_from.map(daypass_service::core::Timestamp::seconds),
            })
        };
        let items: Vec<_> = keys.iter().map(describe).collect();
        return show_json(&json!({ "items": items }), out);
    }
    let row = |key: &KeyView| {
        let until = key.retired_from.map_or_else(|| "-".to_owned(), |from| utc(from.millis()));
        let since = utc(key.active_from.millis());
        [key.id.clone(), key.purpose.into(), key.algorithm.clone(), key.state.name().into(), since, until]
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    show_table(["KEY", "FOR", "ALGORITHM", "STATE", "USED FROM", "UNTIL"], &rows, out)
}

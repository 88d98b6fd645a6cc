//! Opening what a configuration names: the data folder, the store, the master key, the service.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daypass_service::core::Policy;
use daypass_service::storage::{Source, Store};
use daypass_service::{
    KeyKeeper, KeyPolicy, Limits, MasterKey, Metrics, Parts, Secret, Service, ServiceConfig,
};
use zeroize::Zeroizing;

use crate::backend::Backend;
use crate::config::{self, Config, MASTER_KEY_VARIABLE};
use crate::hosted::Failure;
use crate::system::{SystemClock, SystemEntropy};

/// Why the master key could not be had.
#[derive(Debug, thiserror::Error)]
enum MasterKeyError {
    #[error("{0} holds no master key: 32 bytes in base64url, 43 characters, are expected")]
    Malformed(String),
    #[error(
        "the store's keys are sealed, and the master key {0} that opens them is missing; put it back (a new one cannot open them)"
    )]
    Missing(String),
    #[error(
        "the master key {0} is missing. All nodes on a database need the same one: make it once with `daypass keys new-master`, and give it to each"
    )]
    NotShared(String),
    #[error("{0} is there already, and is not replaced: it may open keys that nothing else opens")]
    Exists(String),
    #[error("the command for the master key failed: {0}")]
    Command(String),
}

/// The store for a command that only needs that.
pub(crate) async fn plain_store(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    Ok(Backend::open(config, &Arc::new(Metrics::new())).await?.store())
}

/// A keeper of the store's keys.
pub(crate) async fn keeper(config: &Config) -> Result<KeyKeeper, Failure> {
    let keeper = keeper_of(config, plain_store(config).await?).await?;
    Ok(keeper.acting_for(Source::command_line()))
}

/// A keeper of the keys of a store that is open already.
pub(crate) async fn keeper_of(config: &Config, store: Arc<dyn Store>) -> Result<KeyKeeper, Failure> {
    let master = master_key(config, &*store).await?;
    Ok(KeyKeeper::new(store, master, Arc::new(SystemEntropy), service_config(config).keys))
}

/// The service on a store.
pub(crate) async fn service(
    config: &Config,
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
) -> Result<Service, Failure> {
    let master = master_key(config, &*store).await?;
    let parts =
        Parts { store, clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy), master, metrics };
    Ok(Service::start(service_config(config), parts).await?)
}

/// The part of the configuration that is the service's.
pub(crate) fn service_config(config: &Config) -> ServiceConfig {
    let tokens = &config.tokens;
    let defaults = Limits::default();
    ServiceConfig {
        audience: Some(config.audience.clone()),
        policy: Policy {
            access: tokens.access,
            session: tokens.session,
            idle: tokens.idle,
            grace: tokens.grace,
            on_reuse: tokens.on_reuse,
        },
        keys: KeyPolicy {
            algorithm: tokens.algorithm,
            rotate_every: config.keys.rotate_every,
            publish_ahead: config.keys.publish_ahead,
        },
        limits: Limits {
            account_failures: config.limits.account_failures,
            address_failures: config.limits.address_failures,
            password_workers: std::num::NonZeroUsize::new(config.limits.password_workers)
                .unwrap_or(defaults.password_workers),
            password_queue: config.limits.password_queue,
        },
        keep_events: config.retention.events.unwrap_or(std::time::Duration::MAX),
        ..ServiceConfig::new(&config.issuer)
    }
}

/// Makes the data folder, for its owner only.
pub(crate) fn make_folder(data: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(data);
    Ok(made.map_err(|error| format!("{}: {error}", data.display()))?)
}

/// The master key, from where the configuration says. A file is made if it is missing and the store
/// has no keys yet, and never otherwise.
async fn master_key(config: &Config, store: &dyn Store) -> Result<MasterKey, Failure> {
    match &config.keys.master_key {
        config::MasterKey::Variable => {
            let text = Zeroizing::new(std::env::var(MASTER_KEY_VARIABLE)?);
            Ok(parse(&text, MASTER_KEY_VARIABLE)?)
        }
        config::MasterKey::Command(argv) => Ok(from_command(argv)?),
        config::MasterKey::File(path) => match fs::read_to_string(path).map(Zeroizing::new) {
            Ok(text) => Ok(parse(&text, &path.display().to_string())?),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if !store.keys().await?.is_empty() {
                    return Err(MasterKeyError::Missing(path.display().to_string()).into());
                }
                if config.database.is_some() {
                    return Err(MasterKeyError::NotShared(path.display().to_string()).into());
                }
                make_master_key(path)
            }
            Err(error) => Err(format!("{}: {error}", path.display()).into()),
        },
    }
}

fn parse(text: &str, place: &str) -> Result<MasterKey, MasterKeyError> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim()).map(Zeroizing::new).ok();
    let key = bytes.and_then(|bytes| bytes.as_slice().try_into().ok());
    key.map(MasterKey::new).ok_or_else(|| MasterKeyError::Malformed(place.to_owned()))
}

fn from_command(argv: &[String]) -> Result<MasterKey, MasterKeyError> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(MasterKeyError::Command("it is empty".to_owned()));
    };
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| MasterKeyError::Command(error.to_string()))?;
    if !output.status.success() {
        return Err(MasterKeyError::Command(output.status.to_string()));
    }
    let text = Secret::new(String::from_utf8_lossy(&output.stdout).into_owned());
    parse(text.expose(), "what the command for the master key printed")
}

/// Makes the master key of a new deployment in the file that the configuration names, and says where.
pub(crate) fn new_master_key(config: &Config) -> Result<&Path, Failure> {
    let config::MasterKey::File(path) = &config.keys.master_key else {
        return Err("the configuration takes the master key from somewhere else than a file".into());
    };
    if path.exists() {
        return Err(MasterKeyError::Exists(path.display().to_string()).into());
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_folder(folder)?;
    }
    make_master_key(path)?;
    Ok(path)
}

/// Makes a master key: whole and on the disk, or not at all, and never over another.
fn make_master_key(path: &Path) -> Result<MasterKey, Failure> {
    let named = |error: std::io::Error| format!("{}: {error}", path.display());
    let key = MasterKey::generate(&SystemEntropy);
    let text = Zeroizing::new(format!("{}\n", URL_SAFE_NO_PAD.encode(key.expose())));
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(named)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(named)?;
    // A link fails where a rename would replace: whoever comes second takes the first one's key.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft).map_err(named)?;
    match linked {
        Ok(()) => {
            sync_folder(path).map_err(named)?;
            Ok(key)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let text = Zeroizing::new(fs::read_to_string(path).map_err(named)?);
            Ok(parse(&text, &path.display().to_string())?)
        }
        Err(error) => Err(named(error).into()),
    }
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => fs::File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_master_key_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let first = make_master_key(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let second = make_master_key(&path).unwrap();
        assert_eq!(first.expose(), second.expose(), "the key that is there stays");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left behind");
    }

    #[test]
    fn what_is_no_master_key_is_told_without_repeating_it() {
        for text in ["", "short", &"A".repeat(44)] {
            let error = parse(text, "here").unwrap_err().to_string();
            assert!(error.contains("here") && (text.is_empty() || !error.contains(text)), "{error}");
        }
        assert!(parse(&format!("{}\n", "A".repeat(43)), "here").is_ok());
    }

    #[test]
    fn a_command_that_fails_is_told() {
        let argv = |program: &str| vec![program.to_owned()];
        assert!(matches!(from_command(&argv("false")), Err(MasterKeyError::Command(_))));
        assert!(matches!(from_command(&argv("true")), Err(MasterKeyError::Malformed(_))));
        assert!(matches!(from_command(&[]), Err(MasterKeyError::Command(_))));
    }
}

//! Everything that runs: PostgreSQL twice, three nodes, nginx, and the way from one of the nodes to the databases.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use daypass_chaos::dice::Dice;
use daypass_chaos::service::{Registered, Service, ServiceError, free_address};
use daypass_storage::StoreError;
use serde::Deserialize;
use tokio::task::JoinError;

use crate::arguments::Sabotage;
use crate::database::Pair;
use crate::forward::{Forwarder, Way};
use crate::log::Log;
use crate::nginx::Nginx;

/// Something does not go on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Stuck(pub(crate) String);

impl From<ServiceError> for Stuck {
    fn from(error: ServiceError) -> Self {
        Self(error.to_string())
    }
}

impl From<StoreError> for Stuck {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

impl From<JoinError> for Stuck {
    fn from(error: JoinError) -> Self {
        Self(format!("a database does not do what it is told: {error}"))
    }
}

/// The client of those who are signed out; their access tokens outlive the run.
pub(crate) const LEAVER: Registered = Registered { id: "leaver", options: &["--access", "3600"] };

/// The client that reads the feed.
pub(crate) const READER: &str = "verifiers";

/// Those who stay share so many people: if one of their sessions raised an alarm, all of that person's would end.
const STAYING: u64 = 2;

/// Those who leave are people of their own.
pub(crate) const LEAVING: u64 = 2;

/// The node that can be cut off from the databases.
pub(crate) const AT_THE_END_OF_A_LONG_WAY: usize = 2;

pub(crate) const NODES: usize = 3;

/// A node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) service: Service,
    pub(crate) metrics: SocketAddr,
}

/// All of it. It has no `Debug`, since there is a secret in it.
pub(crate) struct Stage {
    pub(crate) pair: Pair,
    pub(crate) nodes: Vec<Node>,
    nginx: Nginx,
    way: [Arc<Forwarder>; 2],
    pub(crate) log: Arc<Log>,
    pub(crate) issuer: String,
    /// The secret of the client that reads the feed.
    pub(crate) secret: String,
}

impl Stage {
    /// Starts everything, with its files in `folder`. `binary` is an absolute path.
    pub(crate) async fn set(
        binary: &Path,
        folder: &Path,
        dice: &Dice,
        sabotage: Option<Sabotage>,
    ) -> Result<Self, Stuck> {
        let address = |last: u8| free_address(Ipv4Addr::new(127, 0, 0, last), dice);
        let databases = [address(21)?, address(22)?];
        let synchronous = sabotage != Some(Sabotage::NoSynchronousStandby);
        let pair = Pair::start(folder, databases, synchronous).await?;
        let unusable = |error| Stuck(format!("the way to a database cannot be had: {error}"));
        let [first, second] = databases;
        let way = [
            Forwarder::start(address(31)?, first).await.map_err(unusable)?,
            Forwarder::start(address(32)?, second).await.map_err(unusable)?,
        ];
        let entrance = address(41)?;
        let issuer = format!("http://{entrance}");
        let mut nodes = Vec::new();
        for (number, last) in (0..NODES).zip(11..) {
            let databases = if number == AT_THE_END_OF_A_LONG_WAY {
                let [first, second] = &way;
                [first.address(), second.address()]
            } else {
                databases
            };
            let (here, metrics) = (address(last)?, SocketAddr::from(address(last)?));
            let name = format!("node{}", number + 1);
            let mut service = Service::new(binary, folder, &name, here.into());
            service.set("DAYPASS_DATABASE", pair.url(databases));
            service.set("DAYPASS_ISSUER", &issuer);
            service.set("DAYPASS_METRICS_LISTEN", metrics.to_string());
            service.set("DAYPASS_TOKENS__ACCESS", "2s");
            service.set("DAYPASS_LIMITS__PASSWORD_WORKERS", "1");
            nodes.push(Node { service, metrics });
        }
        let secret = enlist(nodes.first()).await?;
        for node in &mut nodes {
            node.service.spawn()?;
        }
        for node in &mut nodes {
            node.service.until_ready().await?;
        }
        let retry = sabotage != Some(Sabotage::NoNextUpstream);
        let addresses: Vec<_> = nodes.iter().map(|node| node.service.address()).collect();
        let nginx = Nginx::start(folder, entrance, &addresses, retry).await?;
        let log = Log::follow(folder.join("access.log"));
        Ok(Self { pair, nodes, nginx, way, log, issuer, secret })
    }

    /// A node, counted from zero and beginning anew after the last.
    pub(crate) fn node(&mut self, number: usize) -> Result<&mut Node, Stuck> {
        self.nodes.get_mut(number % NODES).ok_or_else(|| Stuck("there is no such node".to_owned()))
    }

    /// Changes how the way from one node to the databases is.
    pub(crate) fn set_way(&self, way: Way) {
        self.way.iter().for_each(|forwarder| forwarder.set(way));
    }

    /// Where the nodes tell what they count.
    pub(crate) fn metrics(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.metrics).collect()
    }

    /// Asks everybody to leave. What does not leave well is told.
    pub(crate) async fn clear(self) -> Vec<String> {
        let mut told = Vec::new();
        for mut node in self.nodes {
            told.extend(node.service.stop().await.err().map(|error| error.to_string()));
        }
        told.extend(self.nginx.stop().await.err().map(|error| format!("nginx: {error}")));
        told
    }
}

/// What `daypass client add --json` says.
#[derive(Deserialize)]
struct Added {
    client_secret: String,
}

/// Makes schema, master key, people and clients, by the commands of a node that does not run yet. The answer: the secret
/// of the client that reads the feed.
async fn enlist(node: Option<&Node>) -> Result<String, Stuck> {
    let Some(Node { service, .. }) = node else { return Err(Stuck("there is no node".to_owned())) };
    service.prepare_database().await?;
    for number in 0..STAYING {
        service.add_person(&staying(number)).await?;
    }
    for number in 0..LEAVING {
        service.add_person(&leaving(number)).await?;
    }
    service.add_client(LEAVER).await?;
    let options = ["client", "add", READER, "--scope", "daypass:feed", "--access", "3600", "--json"];
    let added = service.command(&options, "").await?;
    let added: Result<Added, _> = serde_json::from_str(&added);
    added.map(|added| added.client_secret).map_err(|_| Stuck("a client has no secret".to_owned()))
}

/// The person of one who stays.
pub(crate) fn staying(number: u64) -> String {
    format!("staying{}", number % STAYING)
}

/// The person of one who leaves.
pub(crate) fn leaving(number: u64) -> String {
    format!("leaving{}", number % LEAVING)
}

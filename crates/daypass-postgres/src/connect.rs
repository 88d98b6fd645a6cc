//! Connections: made within a bound, asked within a bound.

use std::time::Duration;

use daypass_storage::{StoreError, StoreResult};
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Row};

use crate::address::DatabaseUrl;
use crate::tls::Tls;
use crate::trouble::{Trouble, describe};

/// A parameter of a statement, and its type: the server is not asked for it.
pub(crate) type Parameter<'p> = (&'p (dyn ToSql + Sync), Type);

/// The longest to wait for one of several hosts, so that there is time for the next.
const PER_HOST: Duration = Duration::from_millis(700);

/// Makes connections to the database.
#[derive(Clone)]
pub(crate) struct Connector {
    config: Config,
    tls: Tls,
    patience: Duration,
}

impl Connector {
    /// To the database at `url`; a statement that has no answer after `patience` never has one.
    pub(crate) fn new(url: &DatabaseUrl, patience: Duration) -> StoreResult<Self> {
        let mut config = url.config().clone();
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(PER_HOST.min(patience));
        }
        let tls = Tls::new().map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { config, tls, patience })
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> Result<Connection, Trouble> {
        let connecting = timeout(self.patience, self.config.connect(self.tls.clone()));
        let connected =
            connecting.await.map_err(|_| Trouble::Lost("the database does not answer".to_owned()))?;
        let (client, connection) = connected.map_err(|error| {
            // Whatever the server says against it: there is no connection.
            Trouble::Lost(describe(&error))
        })?;
        // Ends with the client, or when the connection breaks; whoever waits for an answer is told.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %describe(&error), "a connection to the database was lost");
            }
        });
        Ok(Connection { client, tls: self.tls.clone(), patience: self.patience })
    }
}

/// A connection. What is asked of it is sent when its future is first polled, and answered in order.
pub(crate) struct Connection {
    client: Client,
    tls: Tls,
    patience: Duration,
}

impl Connection {
    /// Whether it is known to be lost.
    pub(crate) fn is_lost(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs a statement, unnamed, and collects its rows.
    pub(crate) async fn rows(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Trouble> {
        self.within(self.client.query_typed(sql, parameters)).await
    }

    /// Runs a statement that gives one row at most.
    pub(crate) async fn row(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Option<Row>, Trouble> {
        Ok(self.rows(sql, parameters).await?.into_iter().next())
    }

    /// Runs a statement, unnamed, and says how many rows it changed.
    pub(crate) async fn execute(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<u64, Trouble> {
        self.within(self.client.execute_typed(sql, parameters)).await
    }

    /// Runs statements without parameters.
    pub(crate) async fn batch(&self, sql: &str) -> Result<(), Trouble> {
        self.within(self.client.batch_execute(sql)).await
    }

    async fn within<T>(
        &self,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Trouble> {
        if let Ok(answer) = timeout(self.patience, asked).await {
            return Ok(answer?);
        }
        self.call_off();
        Err(Trouble::Lost("the database has not answered in time".to_owned()))
    }

    /// Asks the server to stop working on what was not answered: a client that has gone is not noticed by a commit that
    /// waits for its standby, and locks and a place among the server's connections stay taken.
    fn call_off(&self) {
        let (cancel, tls, patience) = (self.client.cancel_token(), self.tls.clone(), self.patience);
        tokio::spawn(async move {
            // Where it cannot be asked there is no server that works.
            let _asked = timeout(patience, cancel.cancel_query(tls)).await;
        });
    }
}

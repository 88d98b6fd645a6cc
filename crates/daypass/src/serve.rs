//! `daypass serve`: the service on its listeners, until it is asked to leave.

use std::future::Future as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use daypass_http::{CookieNames, HttpOptions, MetricsAt, ServeOptions, TrustedProxies};
use daypass_service::storage::Store;
use daypass_service::{Metrics, Service};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::config::Config;
use crate::hosted::Failure;
use crate::{open, system};

/// Serves until Ctrl-C or SIGTERM, then finishes what was accepted.
pub(crate) async fn run(config: Config) -> Result<(), Failure> {
    system::start_log(&config)?;
    for remark in config.remarks() {
        tracing::warn!("{remark}");
    }
    let place = Place::of(&config);
    let metrics = Arc::new(Metrics::new());
    let store = Backend::open(&config, &metrics).await?.store();
    let fresh = store.keys().await?.is_empty();
    let nobody = store.users(None, 1).await?.is_empty();
    let running = start(config, store, metrics).await?;
    // Whoever reads the greeting may ask it to leave at once.
    let mut leave = std::pin::pin!(system::asked_to_leave());
    let early = std::future::poll_fn(|context| std::task::Poll::Ready(leave.as_mut().poll(context))).await;
    greet(&running, fresh, nobody, &place)?;
    if early.is_pending() {
        leave.await;
    }
    tracing::info!("asked to leave: finishing what was accepted");
    running.stop().await
}

/// Where the keys are, and how a command on the same store is told of it.
struct Place {
    keys: String,
    flag: String,
}

impl Place {
    fn of(config: &Config) -> Self {
        let data = config.data.display();
        match &config.database {
            None => Self { keys: data.to_string(), flag: format!(" --data {data}") },
            // A flag with its URL would hold a password.
            Some(url) => Self { keys: url.to_string(), flag: String::new() },
        }
    }
}

/// Says where the service is, and on the first start what to do next.
fn greet(running: &Running, fresh: bool, nobody: bool, place: &Place) -> Result<(), Failure> {
    let out = &mut std::io::stdout();
    let Place { keys, flag } = place;
    if fresh {
        writeln!(
            out,
            "Made new keys in {keys}. Keep its master key safe: without it they cannot be opened again."
        )?;
    }
    if nobody {
        writeln!(out, "Nobody can sign in yet. Add somebody with: daypass user add NAME{flag}")?;
    }
    writeln!(out, "Daypass listens on {} as {}", running.address, running.issuer)?;
    Ok(out.flush()?)
}

/// A service that is being served.
pub(crate) struct Running {
    address: SocketAddr,
    issuer: String,
    leave: watch::Sender<bool>,
    listeners: JoinSet<std::io::Result<()>>,
    service: Service,
}

impl Running {
    /// The issuer, which is also the base URL where none was configured.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Stops accepting, finishes what was accepted, and closes the store.
    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        self.service.end_streams();
        // Without listeners there is nobody to tell.
        let _nobody = self.leave.send(true);
        while let Some(ended) = self.listeners.join_next().await {
            ended??;
        }
        // The last owner of the store waits for its threads.
        let service = self.service;
        tokio::task::spawn_blocking(move || drop(service)).await?;
        Ok(())
    }
}

/// Binds the listeners and starts serving.
pub(crate) async fn start(
    mut config: Config,
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
) -> Result<Running, Failure> {
    let listener = bind(config.listen).await?;
    let address = listener.local_addr()?;
    config.bound(address);
    let operations = match config.metrics_listen {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let service = open::service(&config, store, metrics).await?;
    let options = http_options(&config, operations.is_some())?;
    let (leave, left) = watch::channel(false);
    let mut listeners = JoinSet::new();
    let router = daypass_http::router(service.clone(), options.clone());
    listeners.spawn(daypass_http::serve(listener, router, serve_options(&config), gone(left.clone())));
    if let Some(operations) = operations {
        let router = daypass_http::operations_router(service.clone());
        listeners.spawn(daypass_http::serve(operations, router, serve_options(&config), gone(left)));
    }
    tracing::info!(%address, issuer = config.issuer, "serving");
    Ok(Running { address, issuer: config.issuer, leave, listeners, service })
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    Ok(bound.map_err(|error| format!("cannot listen on {address}: {error}"))?)
}

async fn gone(mut left: watch::Receiver<bool>) {
    // Whoever started it has gone without a word: that is leaving, too.
    let _dropped = left.wait_for(|left| *left).await;
}

fn serve_options(config: &Config) -> ServeOptions {
    let mut options = ServeOptions::default();
    options.connections = config.limits.connections;
    options.header_timeout = config.limits.header_timeout;
    options
}

fn http_options(config: &Config, own_listener: bool) -> Result<HttpOptions, Failure> {
    let mut options = HttpOptions::default();
    options.allowed_origins.clone_from(&config.allowed_origins);
    options.access_cookie = config.tokens.access_cookie;
    options.cookies = CookieNames::new(&config.cookies.refresh, &config.cookies.access)?;
    options.body_timeout = config.limits.body_timeout;
    if own_listener {
        options.metrics = MetricsAt::OwnListener;
    }
    if config.behind_proxy {
        let trusted = config.trusted_proxies.clone();
        options.trusted_proxies =
            TrustedProxies::new(move |address| trusted.iter().any(|network| network.contains(address)));
    }
    Ok(options)
}

//! What the service is told: by flags, or by environment variables of the same names in capitals.

use std::net::SocketAddr;

use clap::Parser;

/// A service that calls another
#[derive(Parser)]
#[command(version)]
pub(crate) struct Settings {
    /// The Daypass service
    #[arg(long, env, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) issuer: String,

    /// The client that this service is registered as, with the grant client_credentials and the scope orders
    #[arg(long, env, value_name = "ID")]
    pub(crate) client_id: String,

    /// Its secret, for the environment: flags are seen by everybody on the machine
    #[arg(long, env, value_name = "SECRET", hide_env_values = true)]
    pub(crate) client_secret: String,

    /// The API that is called
    #[arg(long, env, value_name = "URL", default_value = "http://127.0.0.1:8090")]
    pub(crate) api: String,

    /// Whom the access tokens are for [default: the client's registered audience, or else the issuer]
    #[arg(long, env, value_name = "URI")]
    pub(crate) resource: Option<String>,

    /// Where to listen
    #[arg(long, env, value_name = "ADDRESS", default_value = "127.0.0.1:8091")]
    pub(crate) listen: SocketAddr,
}

//! What the API is told: by flags, or by environment variables of the same names in capitals.

use std::net::SocketAddr;

use clap::Parser;

/// An API that accepts the access tokens of a Daypass service
#[derive(Parser)]
#[command(version)]
pub(crate) struct Settings {
    /// The Daypass service whose tokens are accepted, such as `https://id.example`
    #[arg(long, env, value_name = "URL")]
    pub(crate) issuer: String,

    /// Who this API is: the audience that tokens have to be for [default: the issuer]
    #[arg(long, env, value_name = "URI")]
    pub(crate) audience: Option<String>,

    /// Where to listen
    #[arg(long, env, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    pub(crate) listen: SocketAddr,

    /// The client that follows the list of ended sessions; without one, a token is good until it expires
    #[arg(long, env, value_name = "ID", requires = "feed_secret")]
    pub(crate) feed_client: Option<String>,

    /// That client's secret, for the environment: flags are seen by everybody on the machine
    #[arg(long, env, value_name = "SECRET", requires = "feed_client", hide_env_values = true)]
    pub(crate) feed_secret: Option<String>,
}

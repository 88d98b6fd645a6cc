//! A private cluster of PostgreSQL for a script: `cluster FOLDER [SETTINGS]` starts one in a folder under
//! `FOLDER`, makes an empty database, prints its URL, and ends the cluster when its standard input closes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a tool of tests")]

use std::io::Read as _;
use std::path::Path;

use daypass_postgres::testing::Cluster;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().expect("a folder");
    let cluster = Cluster::start(Path::new(&folder), &arguments.next().unwrap_or_default());
    println!("{}", cluster.url(&cluster.empty_database().await));
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

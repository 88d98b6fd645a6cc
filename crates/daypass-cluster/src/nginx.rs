//! nginx in front of the nodes.

use std::fs::OpenOptions;
use std::net::{SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use daypass_ambient::{Clock as _, SystemClock};
use daypass_chaos::process::Process;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

use crate::log::FORMAT;
use crate::stage::Stuck;

/// How long it may take to start, and to leave.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running nginx. It is one process, so that nothing of it is left when it is killed.
#[derive(Debug)]
pub(crate) struct Nginx {
    process: Process,
}

impl Nginx {
    /// Starts it in `folder`, before these nodes. Without `retry` it asks one node and nobody else.
    pub(crate) async fn start(
        folder: &Path,
        address: SocketAddrV4,
        nodes: &[SocketAddr],
        retry: bool,
    ) -> Result<Self, Stuck> {
        let (configuration, upstream) = (configuration(address, retry)?, upstream(nodes)?);
        let errors = folder.join("nginx.log");
        let written = std::fs::write(folder.join("nginx.conf"), configuration)
            .and_then(|()| std::fs::write(folder.join("upstream.conf"), upstream))
            .and_then(|()| OpenOptions::new().create(true).append(true).open(&errors));
        let errors = written.map_err(|error| Stuck(format!("nginx's files cannot be written: {error}")))?;
        let out = errors.try_clone().map_err(|error| Stuck(error.to_string()))?;
        let mut command = Command::new(program());
        command.arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "nginx.log"]);
        command.current_dir(folder).stdin(Stdio::null()).stdout(out).stderr(errors);
        let process = Process::start(&mut command);
        let unusable = |error| Stuck(format!("nginx cannot be run: {error}: is it installed?"));
        let mut nginx = Self { process: process.map_err(unusable)? };
        let listening = async {
            while TcpStream::connect(address).await.is_err() {
                if !nginx.process.is_running() {
                    return Err(Stuck("nginx ended: see nginx.log".to_owned()));
                }
                SystemClock.sleep(Duration::from_millis(5)).await;
            }
            Ok(())
        };
        let late = |_late| Err(Stuck("nginx does not listen".to_owned()));
        timeout(PATIENCE, listening).await.unwrap_or_else(late)?;
        Ok(nginx)
    }

    /// Asks it to leave.
    pub(crate) async fn stop(self) -> std::io::Result<()> {
        self.process.stop(PATIENCE).await.map(drop)
    }
}

/// Where Debian has it, which is not on everybody's path.
fn program() -> PathBuf {
    let debian = PathBuf::from("/usr/sbin/nginx");
    if debian.exists() { debian } else { PathBuf::from("nginx") }
}

/// What `deploy/` gives to nginx: what is run here is that.
const DEPLOYED: &str = include_str!("../../../deploy/nginx/nginx.conf");

/// What of it is otherwise here: one process without rights, with its files in its own folder, on one address without TLS,
/// where connections are not closed for having been used often, and with a log that can be read by program.
const OTHERWISE: [(&str, &str); 8] = [
    ("worker_processes auto;", "daemon off;\nmaster_process off;\npid nginx.pid;"),
    ("include /etc/nginx/upstream.conf;", "include upstream.conf;"),
    ("error_log /dev/stderr warn;", "error_log nginx.log warn;"),
    (
        "access_log /dev/stdout;",
        "log_format cluster '{FORMAT}';
  access_log access.log cluster;
  client_body_temp_path tmp-body;
  proxy_temp_path tmp-proxy;
  fastcgi_temp_path tmp-fastcgi;
  uwsgi_temp_path tmp-uwsgi;
  scgi_temp_path tmp-scgi;",
    ),
    (
        "  server {
    listen 80;
    return 308 https://$host$request_uri;
  }
",
        "",
    ),
    (
        "    ssl_certificate /etc/nginx/tls/fullchain.pem;
    ssl_certificate_key /etc/nginx/tls/privkey.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:tls:10m;
    ssl_session_tickets off;
    # Early data can be sent again by anybody.
    ssl_early_data off;
",
        "",
    ),
    ("listen 443 ssl;", "listen {ADDRESS} backlog=4096;\n    keepalive_requests 1000000;"),
    ("proxy_set_header Host $host;", "proxy_set_header Host $http_host;"),
];

/// The settings that are deployed, as far as they can be the same here. Without `retry` no request goes to a second node.
fn configuration(address: SocketAddrV4, retry: bool) -> Result<String, Stuck> {
    let mut settings = DEPLOYED.to_owned();
    for (there, here) in OTHERWISE {
        if settings.matches(there).count() != 1 {
            return Err(Stuck(format!(
                "deploy/nginx/nginx.conf does not have once what is otherwise here: {there}"
            )));
        }
        let here = here.replace("{FORMAT}", FORMAT).replace("{ADDRESS}", &address.to_string());
        settings = settings.replace(there, &here);
    }
    if !retry {
        let kept = settings.lines().filter(|line| !line.trim_start().starts_with("proxy_next_upstream"));
        settings = kept.collect::<Vec<_>>().join("\n");
        settings = settings.replacen("http {", "http {\n  proxy_next_upstream off;", 1);
    }
    Ok(settings)
}

/// The list of nodes that is deployed, with these nodes in their places.
fn upstream(nodes: &[SocketAddr]) -> Result<String, Stuck> {
    let mut list = include_str!("../../../deploy/nginx/upstream-compose.conf").to_owned();
    for (number, node) in (1..).zip(nodes) {
        let there = format!("server node{number}:8080 ");
        if !list.contains(&there) {
            return Err(Stuck(format!("deploy/nginx/upstream-compose.conf has no {there}")));
        }
        list = list.replace(&there, &format!("server {node} "));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deployed_can_be_run_here() {
        let address = "127.0.0.41:20000".parse().unwrap();
        let settings = configuration(address, true).unwrap();
        let said = |line: &str| !line.trim_start().starts_with('#');
        let elsewhere =
            |line: &&str| said(line) && ["/etc/", "/dev/", "ssl"].iter().any(|word| line.contains(word));
        assert_eq!(settings.lines().find(elsewhere), None);
        assert!(settings.contains("listen 127.0.0.41:20000 "));
        let repeatable =
            |line: &&str| line.trim() == "proxy_next_upstream error timeout http_503 non_idempotent;";
        assert_eq!(settings.lines().filter(repeatable).count(), 3);
        let nodes = ["127.0.0.11:1", "127.0.0.12:2", "127.0.0.13:3"].map(|node| node.parse().unwrap());
        let list = upstream(&nodes).unwrap();
        assert!(!list.contains("server node") && list.contains("server 127.0.0.13:3 max_fails="), "{list}");
        let alone = configuration(address, false).unwrap();
        assert_eq!(alone.matches("proxy_next_upstream").count(), 1);
    }
}

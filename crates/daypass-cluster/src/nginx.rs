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
        let configuration = configuration(address, nodes, retry);
        let errors = folder.join("nginx.log");
        let written = std::fs::write(folder.join("nginx.conf"), configuration)
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

/// A renewal, an end and a request for a client's own token may be sent again to another node, whatever became of them at
/// the first: the attempt id says that it is the same renewal, a session ends once, and a token more is harmless. A sign-in
/// is sent again only if it has not left, which is what nginx does with a POST unless it is told otherwise. Where no node
/// answers, nginx says what a node would say: later.
fn configuration(address: SocketAddrV4, nodes: &[SocketAddr], retry: bool) -> String {
    let server = |node| format!("    server {node} max_fails=3 fail_timeout=1s;\n");
    let servers = nodes.iter().map(server).collect::<Vec<_>>().concat();
    let (plain, repeatable) =
        if retry { ("error timeout", "error timeout http_503 non_idempotent") } else { ("off", "off") };
    format!(
        r#"daemon off;
master_process off;
pid nginx.pid;
events {{ worker_connections 8192; }}
http {{
  log_format cluster '{FORMAT}';
  access_log access.log cluster;
  client_body_temp_path tmp-body;
  proxy_temp_path tmp-proxy;
  fastcgi_temp_path tmp-fastcgi;
  uwsgi_temp_path tmp-uwsgi;
  scgi_temp_path tmp-scgi;
  upstream nodes {{
{servers}    keepalive 64;
  }}
  server {{
    listen {address} backlog=4096;
    keepalive_requests 1000000;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_connect_timeout 1s;
    location / {{
      proxy_pass http://nodes;
      proxy_read_timeout 10s;
      proxy_next_upstream {plain};
    }}
    error_page 502 504 = @later;
    location @later {{
      add_header Retry-After 1 always;
      return 503;
    }}
    location ~ ^/(v1/refresh|v1/logout|oauth2/token)$ {{
      proxy_pass http://nodes;
      proxy_read_timeout 2s;
      proxy_next_upstream {repeatable};
    }}
    location = /v1/revocations/stream {{
      proxy_pass http://nodes;
      proxy_buffering off;
      proxy_read_timeout 15s;
      proxy_next_upstream {plain};
    }}
  }}
}}
"#
    )
}

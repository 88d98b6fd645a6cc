//! The built program as a user meets it: started as a process, spoken to over TCP.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    unreachable_pub,
    missing_docs,
    reason = "what tests share is test code, and watches a process from outside in real time"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

pub const PASSWORD: &str = "correct horse battery staple";

/// How long a condition may take to come true before the test is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// The program, with nothing of this process's own configuration.
pub fn daypass(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daypass"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DAYPASS_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).args(["--data", "data"]);
    command
}

/// Runs a command to its end, with `input` on its standard input.
pub fn run(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = daypass(folder);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that refuses its arguments ends without reading.
    let _ended_early = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Runs a command that has to succeed and returns what it printed.
pub fn succeed(folder: &Path, arguments: &[&str], input: &str) -> String {
    let output = run(folder, arguments, input);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

/// A running service.
pub struct Served {
    child: Child,
    pub address: String,
    pub greeting: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Served {
    /// Starts the service on a free port and waits until it answers.
    pub fn start(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = daypass(folder);
        command.args(["serve", "--listen", "127.0.0.1:0"]).envs(settings.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (kept, errors) = (Arc::clone(&log), child.stderr.take().unwrap());
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                let mut log = kept.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut greeting = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it ended: {}", log.lock().unwrap());
            greeting.push_str(&line);
            if let Some(rest) = line.strip_prefix("Daypass listens on ") {
                break rest.split(' ').next().unwrap().to_owned();
            }
        };
        Self { child, address, greeting, log, reader: Some(reader) }
    }

    /// Asks the service to leave; its exit code and its whole log.
    pub fn stop(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        (status.code(), self.log.lock().unwrap().clone())
    }

    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, "")
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[("Content-Type", "application/json")], &body.to_string())
    }

    pub fn post_form(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut all = vec![("Content-Type", "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        self.send("POST", path, &all, body)
    }

    pub fn me(&self, pair: &Value) -> Answer {
        let bearer = format!("Bearer {}", pair["access_token"].as_str().unwrap());
        self.get("/v1/me", &[("Authorization", &bearer)])
    }

    pub fn login(&self, username: &str) -> Value {
        let answer = self.post("/v1/login", &serde_json::json!({"username": username, "password": PASSWORD}));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// One request on a connection of its own.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (host, length) = (&self.address, body.len());
        let lines: String = headers.iter().flat_map(|(name, value)| [*name, ": ", *value, "\r\n"]).collect();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}");
        write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A running demo.
pub struct Demo {
    child: Child,
    story: BufReader<ChildStdout>,
    service: SocketAddr,
    api: SocketAddr,
    api_process: u32,
}

impl Demo {
    /// Starts the demo, with its temporary files in this folder, and waits until it says where service and API are.
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = daypass(folder);
        command.arg("demo").args(arguments).env("TMPDIR", folder).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut story = BufReader::new(child.stdout.take().unwrap());
        let (service, _) = place(&mut story);
        let (api, process) = place(&mut story);
        let api_process = process.strip_prefix("process ").unwrap().parse().unwrap();
        Self { child, story, service, api, api_process }
    }

    /// All that it still tells.
    pub fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.story.read_to_string(&mut rest).unwrap();
        rest
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Asks it to leave.
    pub fn leave(&mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Whether nobody listens any more, and the API's process is no more.
    pub fn is_gone(&self) -> bool {
        let listening = [self.service, self.api].iter().any(|address| TcpStream::connect(address).is_ok());
        !listening && !is_alive(self.api_process)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Reads the next line of the form `… listening at http://ADDRESS (DESCRIPTION).`
fn place(story: &mut impl BufRead) -> (SocketAddr, String) {
    let mut line = String::new();
    story.read_line(&mut line).unwrap();
    let (_, place) = line.split_once(" listening at http://").unwrap_or_else(|| panic!("{line:?}"));
    let (address, described) = place.trim_end().trim_end_matches(").").split_once(" (").unwrap();
    (address.parse().unwrap(), described.to_owned())
}

/// Whether a process runs. One that has ended, and that nobody has waited for yet, does not.
fn is_alive(process: u32) -> bool {
    if Path::new("/proc/self/stat").exists() {
        // After the name, which stands in brackets and may hold anything.
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        return stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'));
    }
    let listed = Command::new("ps").args(["-o", "stat=", "-p", &process.to_string()]).output().unwrap();
    listed.status.success() && !listed.stdout.starts_with(b"Z")
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}: {}", self.status, self.body))
    }
}

/// Waits until `condition` gives a value.
pub fn eventually<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(began.elapsed() < PATIENCE, "this did not come true in time");
        std::thread::yield_now();
    }
}

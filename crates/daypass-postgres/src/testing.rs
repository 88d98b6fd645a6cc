//! Private clusters of PostgreSQL, with PgBouncer before them and standbys beside them on request; for tests.
//!
//! A cluster lives in a folder of its own under the one that is given, on a free port of the loopback
//! interface, owned by an unprivileged user where the test is root. Beside it waits a shell that
//! stops it and removes the folder as soon as the process that started it is gone, however it went.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "tests fail by panicking"
)]

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio_postgres::{Client, NoTls};

use crate::{DatabaseUrl, migrate};

/// What ends a cluster: waits until its standard input is closed, then kills what left its number in
/// a file, waits for it, and removes everything. Asked by TERM alone PostgreSQL would wait for its clients, and what a
/// shell started in the background may ignore QUIT, as PgBouncer then does.
const UNDERTAKER: &str = r#"trap '' INT TERM HUP; cat >/dev/null
for file in "$0"/*/*.pid; do
  pid=$(head -n 1 "$file" 2>/dev/null) && kill -TERM "$pid" 2>/dev/null || continue
  kill -QUIT "$pid" 2>/dev/null
  while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
done
rm -rf "$0""#;

/// The settings of every cluster, before those that are asked for. Durable as in production.
const SETTINGS: &str = "unix_socket_directories = ''\nmax_connections = 300\nfsync = on\nfull_page_writes = on\n\
                        log_min_messages = warning\nwal_retrieve_retry_interval = 200\n";

/// A running cluster of PostgreSQL.
pub struct Cluster {
    under: PathBuf,
    folder: PathBuf,
    address: SocketAddrV4,
    password: String,
    owner: Option<(u32, u32)>,
    databases: AtomicU32,
    _undertaker: Child,
}

/// Without the password.
impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("folder", &self.folder)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A PgBouncer before a cluster, in transaction mode.
#[derive(Clone, Copy, Debug)]
pub struct Bouncer {
    port: u16,
}

impl Cluster {
    /// Starts a cluster in a folder under `under`, with `settings` as lines of its configuration.
    ///
    /// # Panics
    /// If PostgreSQL is not installed, or does not start.
    pub fn start(under: &Path, settings: &str) -> Self {
        Self::start_at(free_address(Ipv4Addr::LOCALHOST), under, settings)
    }

    /// Starts a cluster at an address of this machine.
    ///
    /// # Panics
    /// If PostgreSQL is not installed, or does not start.
    pub fn start_at(address: SocketAddrV4, under: &Path, settings: &str) -> Self {
        let cluster = Self::prepare(address, under, random());
        fs::write(cluster.home().join("password"), &cluster.password).unwrap();
        cluster.run(
            "initdb",
            &["-N", "-U", "daypass", "-A", "scram-sha-256", "--pwfile=password", "-E", "UTF8", "-D", "data"],
        );
        cluster.configure(settings);
        cluster.start_again();
        cluster
    }

    /// Starts a standby of this cluster at an address of this machine; the primary knows it by `name`. It takes nothing
    /// of what was set by statements: once it is promoted it waits for nobody.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn standby(&self, name: &str, address: SocketAddrV4) -> Self {
        let standby = Self::prepare(address, &self.under, self.password.clone());
        let passwords = standby.home().join("passwords");
        fs::write(&passwords, format!("*:*:*:daypass:{}\n", self.password)).unwrap();
        fs::set_permissions(&passwords, fs::Permissions::from_mode(0o600)).unwrap();
        standby.own(&passwords);
        let primary = format!(
            "host={} port={} user=daypass passfile={} application_name={name}",
            self.address.ip(),
            self.address.port(),
            passwords.display()
        );
        standby.run("pg_basebackup", &["-D", "data", "-X", "stream", "-c", "fast", "-d", &primary]);
        let data = standby.home().join("data");
        fs::write(data.join("postgresql.auto.conf"), "").unwrap();
        fs::write(data.join("standby.signal"), "").unwrap();
        standby.configure(&format!("primary_conninfo = '{primary}'"));
        standby.start_again();
        standby
    }

    /// A cluster that has a folder and nothing in it.
    fn prepare(address: SocketAddrV4, under: &Path, password: String) -> Self {
        let owner = unprivileged();
        fs::create_dir_all(under).unwrap();
        // Somebody else may have no way into the folder of this user's.
        let places = [under.to_owned(), std::env::temp_dir(), PathBuf::from("/tmp")];
        let under = places.into_iter().find(|place| owner.is_none() || is_open(place)).unwrap();
        let folder = tempfile::Builder::new().prefix("pg-").tempdir_in(&under).unwrap().keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let undertaker = Command::new("sh")
            .args(["-c", UNDERTAKER])
            .arg(&folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let databases = AtomicU32::new(0);
        let cluster = Self { under, folder, address, password, owner, databases, _undertaker: undertaker };
        fs::create_dir(cluster.home()).unwrap();
        cluster.own(&cluster.home());
        cluster
    }

    fn own(&self, path: &Path) {
        if let Some((user, group)) = self.owner {
            chown(path, Some(user), Some(group)).unwrap();
        }
    }

    fn configure(&self, settings: &str) {
        let configuration = self.home().join("data/postgresql.conf");
        let (host, port) = (self.address.ip(), self.address.port());
        let place = format!("listen_addresses = '{host}'\nport = {port}\n");
        fs::write(configuration, format!("{SETTINGS}{place}{settings}\n")).unwrap();
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// Starts the cluster that was killed or stopped.
    pub fn start_again(&self) {
        self.run("pg_ctl", &["-D", "data", "-w", "-t", "60", "-l", "log", "start"]);
        // Where the undertaker looks.
        fs::copy(self.home().join("data/postmaster.pid"), self.folder.join("home/postgres.pid")).unwrap();
    }

    /// Stops the cluster in order.
    pub fn stop(&self) {
        self.run("pg_ctl", &["-D", "data", "-w", "-m", "fast", "stop"]);
        self.forget_number();
    }

    /// Kills every process of the cluster at once.
    pub fn kill(&self) {
        let postmaster = self.postmaster();
        // First it must not start any more.
        kill_process(postmaster, Signal::STOP).unwrap();
        let mut all = children_of(postmaster);
        all.push(postmaster);
        for pid in &all {
            let _gone = kill_process(*pid, Signal::KILL);
        }
        for pid in all {
            while test_kill_process(pid).is_ok() && !is_zombie(pid) {
                std::thread::yield_now();
            }
        }
        // A dead process that nobody has asked about would be taken for a running one.
        fs::remove_file(self.home().join("data/postmaster.pid")).unwrap();
        self.forget_number();
    }

    /// The number may be another process's by the time the undertaker comes.
    fn forget_number(&self) {
        fs::remove_file(self.folder.join("home/postgres.pid")).unwrap();
    }

    /// Stops every process of the cluster where it stands, or has them go on.
    pub fn pause(&self, paused: bool) {
        let postmaster = self.postmaster();
        let signal = if paused { Signal::STOP } else { Signal::CONT };
        kill_process(postmaster, signal).unwrap();
        for child in children_of(postmaster) {
            let _gone = kill_process(child, signal);
        }
    }

    /// Makes a standby a primary, and waits until it is one.
    pub fn promote(&self) {
        self.run("pg_ctl", &["-D", "data", "-w", "-t", "60", "promote"]);
    }

    /// Has sign-ins and revocations wait for the standby of this name from now on, or for none if it is empty.
    pub async fn wait_for_standby(&self, name: &str) {
        self.set("synchronous_standby_names", name).await;
    }

    /// Waits until a standby of this name has all that there is and receives what comes.
    pub async fn until_followed_by(&self, name: &str) {
        let client = self.client("postgres").await;
        let sql = "select exists (select from pg_stat_replication where application_name = $1 \
                   and state = 'streaming' and flush_lsn = pg_current_wal_flush_lsn())";
        while !client.query_one(sql, &[&name]).await.unwrap().get::<_, bool>(0) {}
    }

    /// Has a standby receive nothing any more, and waits until it does not. What the primary does from here on it will
    /// never know.
    pub async fn stop_receiving(&self) {
        self.set("primary_conninfo", "").await;
        let client = self.client("postgres").await;
        let sql = "select exists (select from pg_stat_wal_receiver)";
        while client.query_one(sql, &[]).await.unwrap().get::<_, bool>(0) {}
    }

    /// Changes a setting, and waits until it is in force.
    async fn set(&self, setting: &str, value: &str) {
        let client = self.client("postgres").await;
        client.batch_execute(&format!("alter system set {setting} = '{value}'")).await.unwrap();
        client.batch_execute("select pg_reload_conf()").await.unwrap();
        let show = format!("show {setting}");
        while client.query_one(&show, &[]).await.unwrap().get::<_, &str>(0) != value {}
    }

    fn postmaster(&self) -> Pid {
        let file = fs::read_to_string(self.home().join("data/postmaster.pid")).unwrap();
        let number = file.lines().next().and_then(|line| line.trim().parse().ok());
        number.and_then(Pid::from_raw).expect("the number of a process")
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        self.url_of(&self.address.to_string(), database)
    }

    /// The URL of a database of this cluster and of its standbys, whichever of these addresses is the primary's.
    pub fn url_at_any(&self, addresses: &[SocketAddrV4], database: &str) -> String {
        let all: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        self.url_of(&all.join(","), database)
    }

    /// The URL of a database by way of PgBouncer.
    pub fn url_by(&self, bouncer: Bouncer, database: &str) -> String {
        self.url_of(&format!("127.0.0.1:{}", bouncer.port), database)
    }

    fn url_of(&self, hosts: &str, database: &str) -> String {
        format!("postgres://daypass:{}@{hosts}/{database}", self.password)
    }

    /// The password of the URLs.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Makes an empty database and returns its name.
    pub async fn empty_database(&self) -> String {
        let name = format!("d{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("create database {name}")).await;
        name
    }

    /// Makes a database with the schema in it and returns its name.
    pub async fn database(&self) -> String {
        let name = self.empty_database().await;
        let url: DatabaseUrl = self.url(&name).parse().unwrap();
        migrate(&url).await.unwrap();
        name
    }

    /// Runs statements in a database.
    pub async fn sql(&self, database: &str, sql: &str) {
        self.client(database).await.batch_execute(sql).await.unwrap();
    }

    /// A connection to a database.
    pub async fn client(&self, database: &str) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url(database), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Starts PgBouncer before the cluster, in transaction mode, with more clients than connections.
    pub fn bouncer(&self) -> Bouncer {
        let (port, home) = (free_address(Ipv4Addr::LOCALHOST).port(), self.home());
        let mut settings = String::new();
        writeln!(
            settings,
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {home}/users.txt\nadmin_users = daypass\n\
             pool_mode = transaction\ndefault_pool_size = 6\nmax_client_conn = 1000\nmax_prepared_statements = 0\n\
             logfile = {home}/bouncer.log\npidfile = {home}/bouncer.pid",
            self.address.ip(),
            self.address.port(),
            home = home.display()
        )
        .unwrap();
        // Older releases have never heard of prepared statements, and refuse the setting.
        let settings = settings.replace("max_prepared_statements = 0\n", "");
        fs::write(home.join("bouncer.ini"), settings).unwrap();
        fs::write(home.join("users.txt"), format!("\"daypass\" \"{}\"\n", self.password)).unwrap();
        let program =
            ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|path| Path::new(path).exists());
        self.succeed(Command::new(program.unwrap_or("pgbouncer")).args(["-d", "bouncer.ini"]));
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        Bouncer { port }
    }

    fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        self.succeed(Command::new(binaries().join(program)).args(arguments));
    }

    fn succeed(&self, command: &mut Command) {
        if let Some((user, group)) = self.owner {
            command.gid(group).uid(user);
        }
        // Into a file: what is left running would hold a pipe open.
        let log = fs::File::create(self.folder.join("output")).unwrap();
        let ran = command
            .current_dir(self.home())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .status();
        let ran = ran.unwrap_or_else(|error| panic!("{command:?}: {error}: is it installed?"));
        let told = |file: &str| fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        assert!(ran.success(), "{command:?}: {ran}\n{}\n{}", told("output"), told("home/log"));
    }
}

/// The folder with PostgreSQL's programs: Debian's of the newest version, or wherever `initdb` is.
fn binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max();
    if let Some(newest) = newest {
        return format!("/usr/lib/postgresql/{newest}/bin").into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).find(|folder| folder.join("initdb").exists());
    found.expect("PostgreSQL is not installed: scripts/setup.sh test installs it")
}

/// Whom to run as, if this is root: PostgreSQL refuses that.
fn unprivileged() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").map_or(1, |process| process.uid()) != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    ["postgres", "nobody"].into_iter().find_map(|wanted| {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(wanted)).then_some(())?;
            let (user, group) = (fields.nth(1)?, fields.next()?);
            Some((user.parse().ok()?, group.parse().ok()?))
        })
    })
}

/// Whether everybody may pass through the folder and all above it.
fn is_open(folder: &Path) -> bool {
    let folder = folder.canonicalize().unwrap();
    folder.ancestors().all(|folder| folder.metadata().unwrap().permissions().mode() & 0o001 != 0)
}

/// An address of this machine that nobody listens at.
pub fn free_address(host: Ipv4Addr) -> SocketAddrV4 {
    let port = TcpListener::bind((host, 0)).unwrap().local_addr().unwrap().port();
    SocketAddrV4::new(host, port)
}

fn random() -> String {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The processes that `parent` started.
fn children_of(parent: Pid) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let of_parent = |number: &i32| {
        fs::read_to_string(format!("/proc/{number}/status"))
            .is_ok_and(|status| status.contains(&format!("\nPPid:\t{}\n", parent.as_raw_nonzero())))
    };
    numbers.filter(of_parent).filter_map(Pid::from_raw).collect()
}

/// Whether it is dead, and only nobody has asked how it died.
fn is_zombie(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()))
        .is_ok_and(|status| status.contains("\nState:\tZ"))
}

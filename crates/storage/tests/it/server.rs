//! A PostgreSQL that does what no private server may: listens on loopback, speaks TLS, or trusts the disk without asking.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use selfmx_pgbox::{Lifetime, PgBox, Settings};
use selfmx_testing::Certificate;
use tempfile::TempDir;

/// A server of the test's own on a TCP port of the loopback interface; it lets everybody in who keeps to its rule.
pub(crate) struct Server {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Server {
    /// Lets in over TLS alone, with this certificate.
    pub(crate) async fn with_tls(certificate: &Certificate) -> Self {
        let folder = cluster().await;
        give(&folder, "server.crt", certificate.pem());
        give(&folder, "server.key", certificate.key_pem());
        let file = |name: &str| folder.path().join(name).display().to_string();
        let settings =
            ["ssl=on".to_owned(), format!("ssl_cert_file={}", file("server.crt")), format!("ssl_key_file={}", file("server.key"))];
        Self::start(folder, "hostssl", &settings)
    }

    /// Lets in without TLS, with these settings.
    pub(crate) async fn with(settings: &[&str]) -> Self {
        let settings: Vec<_> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        Self::start(cluster().await, "hostnossl", &settings)
    }

    /// How to connect, by the name or address of this machine.
    pub(crate) fn address(&self, host: &str, parameters: &str) -> String {
        format!("host={host} port={} user={} dbname={} {parameters}", self.port, selfmx_pgbox::ROLE, selfmx_pgbox::DATABASE)
    }

    /// The port that it listens on.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// A file for our own side.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn start(folder: TempDir, rule: &str, settings: &[String]) -> Self {
        let cluster = folder.path().join("postgres/cluster");
        let owner = fs::metadata(&cluster).unwrap();
        let rules = give(&folder, "hba.conf", &format!("{rule} all all 127.0.0.1/32 trust\n"));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(selfmx_pgbox::programs(None).unwrap().program("postgres"));
        command.arg("-D").arg(&cluster).args(["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={port}")]);
        command.args(["-c", "unix_socket_directories=", "-c", &format!("hba_file={}", rules.display())]);
        for setting in settings {
            command.args(["-c", setting]);
        }
        let log = fs::File::create(folder.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).current_dir(folder.path());
        if owner.uid() != fs::metadata("/proc/self").unwrap().uid() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        Self { process: command.spawn().unwrap(), port, folder }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Killed, it would leave its children behind.
        let told = Command::new("kill").args(["-QUIT", &self.process.id().to_string()]).status();
        drop(told.and_then(|_| self.process.wait()));
    }
}

/// A new cluster, stopped, in a folder that every user may pass through.
async fn cluster() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let settings = Settings::new(folder.path().join("postgres")).lifetime(Lifetime::Tethered);
    PgBox::open(settings).await.unwrap().stop().await.unwrap();
    folder
}

/// Writes a file that the server alone may read.
fn give(folder: &TempDir, name: &str, text: &str) -> std::path::PathBuf {
    let path: &Path = folder.path();
    let owner = fs::metadata(path.join("postgres/cluster")).unwrap();
    let file = path.join(name);
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
    file
}

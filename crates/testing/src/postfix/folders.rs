//! The folders and configuration of a Postfix of one's own.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Stdio;

use super::Postfix;
use super::programs::{INSTALL, program};
use crate::Certificate;

/// What Postfix appends to user names that have no realm.
const REALM: &str = "postfix.example";

/// Who is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Whoever has the password, over TLS.
    Submission,
    /// Everybody on the loopback.
    Open,
}

/// Where mail goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Onward<'a> {
    /// To whom by SMTP; `None`: nowhere.
    pub(super) next: Option<SocketAddr>,
    /// Whose mail goes to a command instead.
    pub(super) piped: Option<(&'a str, &'a str)>,
}

impl Onward<'_> {
    /// The lines of the one configuration, and of the other.
    fn lines(&self) -> (String, String) {
        let next = self.next.map_or("discard:".to_owned(), |next| format!("smtp:[{}]:{}", next.ip(), next.port()));
        let next = format!("default_transport = {next}\n");
        let Some((address, command)) = self.piped else { return (next, String::new()) };
        (
            format!("{next}transport_maps = inline:{{ {{ {address} = piped: }} }}\n"),
            format!("piped unix - n n - 4 pipe flags=R user=nobody argv={command}\n"),
        )
    }
}

impl Door {
    fn lines(self, folder: &Path) -> String {
        let here = folder.display();
        if self == Self::Open {
            return "mynetworks = 127.0.0.0/8
smtpd_tls_security_level = none
smtpd_relay_restrictions = permit_mynetworks, reject
smtp_tls_security_level = none
in_flow_delay = 0
initial_destination_concurrency = 10
default_destination_concurrency_limit = 10
"
            .to_owned();
        }
        format!(
            "smtputf8_autodetect_classes = all
smtpd_tls_cert_file = {here}/certificate.pem
smtpd_tls_key_file = {here}/key.pem
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = {REALM}
cyrus_sasl_config_path = {here}/etc/sasl
smtpd_recipient_restrictions = check_recipient_access regexp:{here}/etc/recipients, permit_sasl_authenticated, reject
"
        )
    }
}

pub(super) fn write(folder: &Path, certificate: &Certificate) {
    for name in ["etc", "etc/sasl", "queue", "data"] {
        fs::create_dir(folder.join(name)).unwrap();
    }
    let (user, group) = user_and_group("postfix");
    chown(folder.join("data"), Some(user), Some(group)).unwrap();
    fs::write(folder.join("certificate.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("key.pem"), certificate.key_pem()).unwrap();
    let database = folder.join("sasldb2");
    let mut saslpasswd = program("saslpasswd2");
    saslpasswd.args(["-c", "-p", "-u", REALM, "-f"]).arg(&database).arg(Postfix::USER).stdin(Stdio::piped());
    let mut child = saslpasswd.spawn().expect(INSTALL);
    child.stdin.take().unwrap().write_all(Postfix::PASS.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "saslpasswd2 failed");
    chown(&database, Some(user), Some(group)).unwrap();
    let sasl = format!("pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\nsasldb_path: {}\n", database.display());
    fs::write(folder.join("etc/sasl/smtpd.conf"), sasl).unwrap();
}

/// A user's numbers, from the user database.
fn user_and_group(name: &str) -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.split(':').next() == Some(name)).expect(INSTALL);
    let mut fields = line.split(':').skip(2).map(|field| field.parse().unwrap());
    (fields.next().unwrap(), fields.next().unwrap())
}

pub(super) fn write_configuration(folder: &Path, address: SocketAddr, door: Door, onward: &Onward<'_>) {
    let (here, (onward, piped)) = (folder.display(), onward.lines());
    let main = format!(
        "compatibility_level = 3.6
config_directory = {here}/etc
queue_directory = {here}/queue
data_directory = {here}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = {here}/log
maillog_file_prefixes = {here}
myhostname = {REALM}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
{onward}alias_maps =
alias_database =
message_size_limit = 52428800
mailbox_size_limit = 0
{}",
        door.lines(folder)
    );
    let master = format!(
        "{} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
{piped}",
        address.port()
    );
    let recipients = "/^refused/ 550 5.1.1 No such user here\n/^later/ 450 4.2.0 Come back later\n";
    for (name, content) in [("main.cf", main.as_str()), ("master.cf", &master), ("recipients", recipients)] {
        fs::write(folder.join("etc").join(name), content).unwrap();
    }
}

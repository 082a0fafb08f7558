//! Postfix's `smtp-sink`.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::guardian::Guardian;
use super::programs::{INSTALL, free_address, is_installed, is_root};

/// Postfix's own `smtp-sink`: fast, and keeps nothing. Stopped when it is dropped.
#[derive(Debug)]
pub struct SmtpSink {
    _guardian: Guardian,
    address: SocketAddr,
}

impl SmtpSink {
    /// Starts one on a free loopback port, with options of its own such as `-c`.
    ///
    /// # Panics
    ///
    /// Without Postfix's programs, with the line that installs them.
    #[must_use]
    pub fn start(options: &[&str]) -> Self {
        assert!(is_installed("smtp-sink"), "{INSTALL}");
        let address = free_address();
        let user: &[&str] = if is_root() { &["-u", "postfix"] } else { &[] };
        let mut arguments: Vec<String> = user.iter().chain(options).map(|option| (*option).to_owned()).collect();
        arguments.extend([address.to_string(), "256".to_owned()]);
        let guardian = Guardian::new("smtp-sink \"$@\" & sink=$!", "kill -KILL $sink", &arguments);
        wait_until_it_greets(address);
        Self { _guardian: guardian, address }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

fn wait_until_it_greets(address: SocketAddr) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let greeted = TcpStream::connect(address).and_then(|mut tcp| tcp.read_exact(&mut [0; 4]));
        if greeted.is_ok() {
            return;
        }
        assert!(Instant::now() < deadline, "smtp-sink does not answer: {greeted:?}");
        // Nothing tells when another program has begun to listen.
        std::thread::sleep(Duration::from_millis(5));
    }
}

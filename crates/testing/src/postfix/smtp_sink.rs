//! Postfix's `smtp-sink`.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::programs::{INSTALL, free_address, is_root, program};

/// Postfix's own `smtp-sink`: fast, and keeps nothing. Stopped when it is dropped.
#[derive(Debug)]
pub struct SmtpSink {
    process: Child,
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
        let address = free_address();
        let mut command = program("smtp-sink");
        if is_root() {
            command.args(["-u", "postfix"]);
        }
        let process = command.args(options).arg(address.to_string()).arg("256").stdout(Stdio::null()).spawn().expect(INSTALL);
        let mut sink = Self { process, address };
        sink.wait_until_it_greets();
        sink
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    fn wait_until_it_greets(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let greeted = TcpStream::connect(self.address).and_then(|mut tcp| tcp.read_exact(&mut [0; 4]));
            if greeted.is_ok() {
                return;
            }
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "smtp-sink does not answer: {ended:?}, {greeted:?}");
            // Nothing tells when another program has begun to listen.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

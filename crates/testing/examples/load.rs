//! Sends a load of mails to a server and says how fast they were accepted: `load ADDRESS KEY MAILS CONNECTIONS OCTETS`.

#![expect(clippy::unwrap_used, reason = "a wrong command line ends the program")]

use selfmx_testing::Load;
use tokio::sync::watch;
use tokio::time::Instant;

#[tokio::main]
async fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [address, key, mails, connections, octets] = arguments.as_slice() else {
        println!("usage: load ADDRESS KEY MAILS CONNECTIONS OCTETS");
        return;
    };
    let load = Load {
        key: key.clone(),
        mails: mails.parse().unwrap(),
        connections: connections.parse().unwrap(),
        octets: octets.parse().unwrap(),
    };
    let (_server, address) = watch::channel(address.parse().unwrap());
    let (progress, _accepted) = watch::channel(0);
    let began = Instant::now();
    let sent = load.run(address, progress).await;
    let seconds = began.elapsed().as_secs_f64();
    let rate = f64::from(u32::try_from(sent.accepted.len()).unwrap()) / seconds;
    println!(
        "{} accepted, {} unknown, {} refused in {seconds:.2} s: {rate:.0}/s",
        sent.accepted.len(),
        sent.unknown.len(),
        sent.refused.len()
    );
}

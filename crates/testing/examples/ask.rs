//! Asks a server the same thing again and again and says how fast it answers: `ask ADDRESS KEY PATH REQUESTS CONNECTIONS`.

#![expect(clippy::unwrap_used, reason = "a wrong command line ends the program, and so does a server that does not answer")]

use selfmx_testing::HttpClient;
use tokio::task::JoinSet;
use tokio::time::Instant;

#[tokio::main]
async fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [address, key, path, requests, connections] = arguments.as_slice() else {
        println!("usage: ask ADDRESS KEY PATH REQUESTS CONNECTIONS");
        return;
    };
    let (requests, connections): (u32, u32) = (requests.parse().unwrap(), connections.parse().unwrap());
    let mut asking = JoinSet::new();
    let began = Instant::now();
    for _ in 0..connections {
        let mut http = HttpClient::connect(address.parse().unwrap()).await.unwrap();
        let (key, path) = (key.clone(), path.clone());
        asking.spawn(async move {
            for _ in 0..requests / connections {
                assert_eq!(http.send("GET", &path, Some(&key), None).await.unwrap().status, 200, "{path}");
            }
        });
    }
    asking.join_all().await;
    let (asked, seconds) = (requests / connections * connections, began.elapsed().as_secs_f64());
    println!("{asked} answered in {seconds:.2} s: {:.0}/s", f64::from(asked) / seconds);
}

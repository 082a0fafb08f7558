//! Tests of the gate: what passes is what was sent, however it was cut.

use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::time::timeout;

use super::*;

const WAIT: Duration = Duration::from_secs(10);

fn gate<T>(inner: T) -> Gate<T> {
    Gate::new(inner, BytesMut::new(), Activity::new(), WAIT)
}

/// Sends `sent` in pieces of `piece` octets and reads what passes in pieces of `read`, until nothing more comes.
async fn passed(sent: Vec<u8>, piece: usize, read: usize) -> (Vec<u8>, Arc<Verdicts>) {
    let (mut client, server) = duplex(piece);
    let mut gate = gate(server);
    let verdicts = gate.verdicts();
    let sending = tokio::spawn(async move {
        for piece in sent.chunks(piece) {
            client.write_all(piece).await.ok();
        }
    });
    let (mut all, mut octets) = (Vec::new(), vec![0; read]);
    // After a refusal nothing more comes, and not the end either: the time-out, whose clock stands still otherwise, is the end.
    while let Ok(Ok(count @ 1..)) = timeout(WAIT / 2, gate.read(&mut octets)).await {
        all.extend_from_slice(&octets[..count]);
    }
    drop(gate);
    sending.await.unwrap();
    (all, verdicts)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(future)
}

fn any_request() -> impl Strategy<Value = Vec<u8>> {
    let body = proptest::collection::vec(any::<u8>(), 0..40);
    let counted =
        body.clone().prop_map(|body| [format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat());
    let chunked = proptest::collection::vec(body, 0..4).prop_map(|chunks| {
        let mut request = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
            request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            request.extend_from_slice(&[chunk, &b"\r\n"[..]].concat());
        }
        request.extend_from_slice(b"0\r\n\r\n");
        request
    });
    let plain = "GET /[a-z]{0,9} HTTP/1\\.1\r\n(X-[a-z]: [ -~]{0,9}\r\n){0,3}\r\n".prop_map(String::into_bytes);
    prop_oneof![counted, chunked, plain]
}

proptest! {
    #[test]
    fn what_is_well_formed_passes_unchanged(requests in proptest::collection::vec(any_request(), 1..5), piece in 1_usize..50, read in 1_usize..50) {
        let sent = requests.concat();
        let (all, verdicts) = run(passed(sent.clone(), piece, read));
        prop_assert_eq!(all, sent);
        for _ in &requests {
            prop_assert_eq!(verdicts.next(), None);
        }
    }

    #[test]
    fn what_is_not_is_replaced_and_nothing_after_it_passes(
        requests in proptest::collection::vec(any_request(), 0..4), piece in 1_usize..50, read in 1_usize..50,
        bad in prop_oneof![Just("GET / HTTP/1.1\n\n"), Just("GET / HTTP/1.1\r\nX : y\r\n\r\n"), Just("nonsense\r\n\r\n")],
    ) {
        let sent = [requests.concat(), bad.as_bytes().to_vec(), b"GET /hidden HTTP/1.1\r\n\r\n".to_vec()].concat();
        let (all, verdicts) = run(passed(sent, piece, read));
        prop_assert_eq!(all, [requests.concat(), REPLACEMENT.to_vec()].concat());
        for _ in &requests {
            prop_assert_eq!(verdicts.next(), None);
        }
        prop_assert!(verdicts.next().is_some());
    }

    #[test]
    fn no_octets_whatever_make_it_panic(sent in proptest::collection::vec(any::<u8>(), 0..200), piece in 1_usize..50) {
        run(passed(sent, piece, 7));
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_has_its_time_from_its_first_octet() {
    let (mut client, server) = duplex(64);
    let mut gate = gate(server);
    let mut octets = [0; 64];
    assert!(timeout(WAIT * 10, gate.read(&mut octets)).await.is_err(), "waiting for a head costs nothing");
    client.write_all(b"G").await.unwrap();
    assert!(timeout(WAIT - Duration::from_secs(1), gate.read(&mut octets)).await.is_err());
    let count = timeout(Duration::from_secs(2), gate.read(&mut octets)).await.unwrap().unwrap();
    assert_eq!(&octets[..count], REPLACEMENT);
    assert_eq!(gate.verdicts().next(), Some(HeadFault::TooSlow));
}

//! Whom TLS trusts.

use std::time::{Duration, Instant};

use selfmx_testing::Certificate;
use selfmx_webhook::{PostError, Poster, PosterSettings, Step};

use crate::support::{Act, Endpoint, anywhere, post};

fn trusting(certificate: &Certificate) -> PosterSettings {
    PosterSettings { extra_roots: vec![certificate.pem().to_owned()], ..anywhere() }
}

#[tokio::test]
async fn a_certificate_that_is_trusted_for_the_host_will_do() {
    let certificate = Certificate::for_loopback();
    let endpoint = Endpoint::with_tls(Act::answer("200 OK", "", "within TLS"), &certificate).await;
    for host in ["localhost", "127.0.0.1"] {
        let answer = post(trusting(&certificate), &endpoint.url("https", host)).await.unwrap();
        assert_eq!((answer.status, answer.excerpt.as_str()), (200, "within TLS"));
    }
}

#[tokio::test]
async fn no_other_certificate_will_and_nothing_is_said_to_whoever_shows_it() {
    let (certificate, elsewhere) = (Certificate::for_loopback(), Certificate::for_names(&["hooks.example"]));
    let act = || Act::answer("200 OK", "", "");
    let (unknown, misnamed) = (Endpoint::with_tls(act(), &certificate).await, Endpoint::with_tls(act(), &elsewhere).await);
    let error = post(anywhere(), &unknown.url("https", "localhost")).await.unwrap_err();
    assert!(matches!(error, PostError::Untrusted(_)), "{error:?}");
    let error = post(trusting(&elsewhere), &misnamed.url("https", "localhost")).await.unwrap_err();
    assert!(matches!(error, PostError::Untrusted(_)), "{error:?}");
    assert!([unknown, misnamed].iter().all(|endpoint| endpoint.seen(|seen| seen.requests.is_empty())));
}

#[tokio::test]
async fn what_speaks_no_tls_gets_nothing() {
    let soon = Duration::from_millis(400);
    let settings = || PosterSettings { timeout: soon, ..anywhere() };
    // It waits for a request that is not there yet.
    let silent = Endpoint::start(Act::answer("200 OK", "", "")).await;
    let began = Instant::now();
    let error = post(settings(), &silent.url("https", "localhost")).await.unwrap_err();
    assert!(matches!(error, PostError::TimedOut(Step::Handshake)), "{error:?}");
    assert!(began.elapsed() < 5 * soon, "{:?}", began.elapsed());
    assert!(silent.seen(|seen| seen.requests.is_empty()));
}

#[test]
fn an_authority_that_cannot_be_read_is_refused_at_the_start() {
    let settings =
        PosterSettings { extra_roots: vec!["-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n".to_owned()], ..anywhere() };
    assert!(matches!(Poster::new(&settings), Err(PostError::BadRoot)));
}

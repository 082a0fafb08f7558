//! The examples, run to their end: each of them checks itself.

#[expect(dead_code, reason = "`main` is for whoever runs it by itself")]
#[path = "../../examples/hyper_service.rs"]
mod hyper_service;
#[path = "../../examples/own_scopes.rs"]
mod own_scopes;

#[test]
fn permissions_of_one_s_own_open_the_album() {
    own_scopes::main().unwrap();
}

#[test]
fn a_service_of_one_s_own_answers_as_rfc_6750_says() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(hyper_service::run(None)).unwrap();
}

//! What must not compile: a wrong permit, a forged one, a copied one.

#[test]
fn permits_cannot_be_mixed_up_forged_or_copied() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/it/allowed/*.rs");
    cases.compile_fail("tests/it/refused/*.rs");
}

//! A consent stays with the draft that was checked.

use selfmx_auth::Consented;
use selfmx_domain::Draft;

fn forge(consented: &mut Consented, draft: Draft) {
    consented.draft = draft;
}

fn main() {
    let _ = forge;
}

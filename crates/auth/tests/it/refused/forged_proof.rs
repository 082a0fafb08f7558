//! A proof of one's own list is made by asking its holder, even beside the list.

use std::marker::PhantomData;

selfmx_auth::permissions! {
    pub enum Right, set Rights, markers needs, proof Proof;
    wildcard All = "*", "Everything";
    Add = "photos:write", "Add photos";
}

struct Caller;

fn forge(holder: Caller) -> Proof<needs::Add, Caller> {
    Proof { holder, scope: PhantomData }
}

fn main() {
    let _ = forge;
}

//! A proof of one permission is none of another, nor of somebody else.

selfmx_auth::permissions! {
    pub enum Right, set Rights, markers needs, proof Proof;
    wildcard All = "*", "Everything";
    See = "photos:read", "See photos";
    Add = "photos:write", "Add photos";
}

struct Caller(Rights);
struct Stranger;

impl Holder for Caller {
    fn held(&self) -> Rights {
        self.0
    }
}

impl Holder for Stranger {
    fn held(&self) -> Rights {
        Right::All.into()
    }
}

fn add(_proof: &Proof<needs::Add, Caller>) {}

fn handle(caller: Caller, stranger: Stranger) {
    let Ok(proof) = Proof::<needs::See, _>::of(caller) else { return };
    add(&proof);
    let Ok(proof) = Proof::<needs::Add, _>::of(stranger) else { return };
    add(&proof);
}

fn main() {
    let _ = handle;
}

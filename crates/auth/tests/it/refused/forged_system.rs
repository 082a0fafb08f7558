//! The server's authority is assumed by its function, which a lint confines, and made in no other way.

fn main() {
    let _ = selfmx_auth::System(());
}

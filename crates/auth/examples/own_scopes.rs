//! Permissions of one's own: a photo album that is open to whoever holds the proof, and to nobody else.
//!
//! `cargo run --package selfmx-auth --example own_scopes`

use std::error::Error;

use selfmx_auth::Secret;

use self::caller::{Caller, Keys};
use self::right::{Missing, Proof, Right, needs};

/// The list. It has a module of its own, so that nobody sees inside a set.
mod right {
    selfmx_auth::permissions! {
        /// What a caller of the album may do.
        pub(crate) enum Right, set Rights, markers needs, proof Proof;
        wildcard All = "*", "Everything";
        See = "photos:read", "See photos";
        Add = "photos:write", "Add photos";
    }
}

/// The authentication. It has a module of its own too: nobody else makes a `Caller`.
mod caller {
    use selfmx_auth::{Digest, Secret};

    use super::right::{Holder, Rights};

    /// Somebody whose key was recognised.
    #[derive(Debug)]
    pub(crate) struct Caller {
        name: String,
        rights: Rights,
    }

    impl Caller {
        pub(crate) fn name(&self) -> &str {
            &self.name
        }
    }

    impl Holder for Caller {
        fn held(&self) -> Rights {
            self.rights
        }
    }

    /// The keys, as a store would keep them: no secret is among them.
    #[derive(Debug, Default)]
    pub(crate) struct Keys(Vec<(Digest, String, Rights)>);

    impl Keys {
        pub(crate) fn add(&mut self, secret: &Secret, name: &str, rights: Rights) {
            self.0.push((secret.digest(), name.to_owned(), rights));
        }

        pub(crate) fn caller(&self, secret: &Secret) -> Option<Caller> {
            let presented = secret.digest();
            let (_, name, rights) = self.0.iter().find(|(digest, ..)| digest.matches(&presented))?;
            Some(Caller { name: name.clone(), rights: *rights })
        }
    }
}

/// What is protected asks for the proof. It has no check of its own that could be forgotten, and takes the name from nowhere else.
#[derive(Debug, Default)]
struct Album(Vec<String>);

impl Album {
    fn add(&mut self, proof: &Proof<needs::Add, &Caller>, title: &str) {
        self.0.push(format!("{title}, by {}", proof.holder().name()));
    }

    fn titles(&self, _proof: &Proof<needs::See, &Caller>) -> &[String] {
        &self.0
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let (ann, bob) = (Secret::chosen("ann-s-own-secret-key")?, Secret::chosen("bob-s-own-secret-key")?);
    let mut keys = Keys::default();
    keys.add(&ann, "Ann", [Right::See, Right::Add].into_iter().collect());
    keys.add(&bob, "Bob", Right::See.into());
    let (ann, bob) = keys.caller(&ann).zip(keys.caller(&bob)).ok_or("both have a key")?;

    let mut album = Album::default();
    album.add(&Proof::of(&ann)?, "The sea");
    let refused = Proof::<needs::Add, _>::of(&bob).err();
    println!("Ann added a photo; Bob could not: {}", refused.ok_or("Bob may not add")?);
    println!("Bob sees: {:?}", album.titles(&Proof::of(&bob)?));

    let stranger = Secret::chosen("a-stranger-s-own-key")?;
    ensure(refused == Some(Missing(Right::Add)), "Bob lacks the permission to add")?;
    ensure(album.titles(&Proof::of(&bob)?) == ["The sea, by Ann"], "there is one photo")?;
    ensure(keys.caller(&stranger).is_none(), "a stranger is nobody")
}

fn ensure(holds: bool, what: &str) -> Result<(), Box<dyn Error>> {
    if holds { Ok(()) } else { Err(what.into()) }
}

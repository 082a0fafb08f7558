//! `permissions!` for somebody else's list: the set, the texts, and the proof.

use crate::own::right::{Holder, Missing, Proof, Right, Rights, Scope, needs};

mod right {
    selfmx_auth::permissions! {
        /// What a caller of the photo service may do.
        pub(crate) enum Right, set Rights, markers needs, proof Proof;
        wildcard All = "*", "Everything";
        See = "photos:read", "See photos";
        Add = "photos:write", "Add photos";
    }
}

/// As an authentication would make it.
#[derive(Debug, PartialEq)]
struct Caller(Rights);

impl Holder for Caller {
    fn held(&self) -> Rights {
        self.0
    }
}

fn added(proof: &Proof<needs::Add, &Caller>) -> Rights {
    proof.holder().held()
}

#[test]
fn a_proof_is_made_just_where_the_permission_is_held() {
    for held in [vec![], vec![Right::See], vec![Right::Add], vec![Right::All], vec![Right::See, Right::Add]] {
        let caller = Caller(held.iter().copied().collect());
        let holds = |wanted| held.contains(&wanted) || held.contains(&Right::All);
        assert_eq!(Proof::<needs::See, _>::of(&caller).err(), (!holds(Right::See)).then_some(Missing(Right::See)));
        assert_eq!(Proof::<needs::Add, _>::of(&caller).err(), (!holds(Right::Add)).then_some(Missing(Right::Add)));
        assert_eq!(Proof::<needs::All, _>::of(&caller).err(), (!holds(Right::All)).then_some(Missing(Right::All)));
        assert_eq!(Proof::of(&caller).map(|proof| added(&proof)).ok(), holds(Right::Add).then_some(caller.0));
    }
}

#[test]
fn texts_are_those_of_the_list() {
    assert_eq!(Right::ALL.iter().map(|right| right.as_str()).collect::<Vec<_>>(), ["*", "photos:read", "photos:write"]);
    assert_eq!("photos:write".parse(), Ok(Right::Add));
    assert_eq!("send".parse::<Right>().unwrap_err().to_string(), "is no permission; there are: *, photos:read, photos:write");
    assert_eq!((Right::See.to_string(), Right::See.description()), ("photos:read".to_owned(), "See photos"));
    assert_eq!(<needs::Add as Scope>::PERMISSION, Right::Add);
    let rights: Rights = [Right::Add, Right::See].into_iter().collect();
    assert_eq!(format!("{rights:?}"), r#"{"photos:read", "photos:write"}"#);
    assert_eq!(rights.iter().collect::<Vec<_>>(), [Right::See, Right::Add]);
    assert!(Rights::default().is_empty() && !rights.is_empty() && rights.covers(Right::Add.into()) && !rights.covers(Right::All.into()));
}

#[test]
fn a_missing_permission_and_a_proof_say_what_they_are_of() {
    let caller = Caller(Right::Add.into());
    assert_eq!(format!("{:?}", Proof::<needs::Add, _>::of(&caller).unwrap()), "Proof(photos:write)");
    assert_eq!(Missing(Right::See).to_string(), "this needs the permission `photos:read`, which is not held");
}

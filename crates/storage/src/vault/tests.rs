//! What is sealed opens with its key and in its place, and in no other way.

use std::collections::HashSet;

use proptest::prelude::*;
use selfmx_testing::{OsEntropy, SeededEntropy};

use super::*;

const PLACE: Place<'_> = Place { table: "relays", column: "password", row: Uuid::from_u128(7) };

fn key(seed: u64) -> SecretKey {
    SecretKey::generate(&SeededEntropy::new(seed))
}

/// A vault of keys that are made from seeds, that of the one that seals first.
fn vault(sealing: u64, opening: &[u64]) -> Vault {
    Vault::new(key(sealing), opening.iter().map(|seed| key(*seed)).collect())
}

fn sealed(vault: &Vault, plaintext: &[u8]) -> Vec<u8> {
    vault.seal(&OsEntropy, PLACE, plaintext).unwrap().into_bytes()
}

#[test]
fn derived_keys_differ_by_their_purpose_and_by_the_key_that_they_are_from_and_stay() {
    let derived = |vault: &Vault, label: &str| -> Vec<[u8; 32]> { vault.derived(label).unwrap().iter().map(|key| **key).collect() };
    let both = derived(&vault(1, &[2]), "links");
    assert_eq!(both, [derived(&vault(1, &[]), "links"), derived(&vault(2, &[]), "links")].concat());
    assert_ne!(both[0], both[1]);
    assert_ne!(derived(&vault(1, &[]), "other"), both[..1]);
    // RFC 5869 by Python's hmac: prk = HMAC(b"selfmx derived key", bytes([7] * 32)), then HMAC(prk, b"links\x01").
    let sevens = Vault::new("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=".parse().unwrap(), vec![]);
    let hex: String = derived(&sevens, "links")[0].iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(hex, "d09003f17520f195e2eeac49b21adf52fc7e3347726b53e5d34c98408730364c");
}

proptest! {
    #[test]
    fn what_is_sealed_opens_and_is_not_to_be_seen(plaintext: Vec<u8>, table in ".{0,9}", column in ".{0,9}", row: u128) {
        let (vault, place) = (vault(1, &[]), Place { table: &table, column: &column, row: Uuid::from_u128(row) });
        let sealed = vault.seal(&OsEntropy, place, &plaintext).unwrap();
        prop_assert_eq!(sealed.as_bytes().len(), 1 + 8 + 12 + plaintext.len() + 16);
        prop_assert_eq!(&*vault.open(place, sealed.as_bytes()).unwrap(), &plaintext);
        prop_assert!(plaintext.len() < 8 || !sealed.as_bytes().windows(plaintext.len()).any(|seen| seen == plaintext));
    }

    #[test]
    fn nothing_that_was_not_sealed_opens(mut octets: Vec<u8>, in_our_form: bool) {
        let vault = vault(1, &[]);
        if in_our_form {
            octets.splice(0..0, [&[FORM], key(1).id().as_bytes().as_slice()].concat());
        }
        prop_assert!(vault.open(PLACE, &octets).is_err());
    }
}

#[test]
fn it_is_aes_256_gcm_as_others_know_it() {
    let vault = Vault::new("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=".parse().unwrap(), vec![]);
    // By Python's cryptography: the nonce is 0 to 11, and the place is bound as the header, each name behind its length in 8 octets, and the row.
    let text = "01bb9ac75d50df51f6000102030405060708090a0b77f18c1e3d7abc3a16df800a623d9451298cc80df7d3a7d09ba416";
    let sealed: Vec<u8> = (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect();
    assert_eq!(vault.open(PLACE, &sealed).unwrap().as_slice(), b"open sesame");
}

#[test]
fn the_same_secret_is_sealed_differently_each_time() {
    let vault = vault(1, &[]);
    let all: HashSet<_> = (0..1000).map(|_| sealed(&vault, b"open sesame")).collect();
    assert_eq!(all.len(), 1000);
}

#[test]
fn no_bit_may_be_changed_and_no_octet_taken_or_added() {
    let vault = vault(1, &[2]);
    let whole = sealed(&vault, b"open sesame");
    for bit in 0..whole.len() * 8 {
        let mut changed = whole.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let error = vault.open(PLACE, &changed).unwrap_err();
        let expected = match bit / 8 {
            0 => VaultError::UnknownForm(changed[0]),
            1..=8 => VaultError::MissingKey(KeyId::from_bytes(changed[1..9].try_into().unwrap())),
            _ => VaultError::Damaged,
        };
        assert_eq!(error, expected, "bit {bit}");
    }
    for length in 0..whole.len() {
        assert_eq!(vault.open(PLACE, &whole[..length]).unwrap_err(), VaultError::Damaged, "{length} octets");
    }
    assert_eq!(vault.open(PLACE, &[&whole[..], &[0]].concat()).unwrap_err(), VaultError::Damaged);
}

#[test]
fn it_opens_in_no_other_place() {
    let vault = vault(1, &[]);
    let whole = sealed(&vault, b"open sesame");
    let others = [
        Place { table: "webhooks", ..PLACE },
        Place { column: "user", ..PLACE },
        Place { row: Uuid::from_u128(8), ..PLACE },
        // The same letters in the same order.
        Place { table: "relaysp", column: "assword", ..PLACE },
        Place { table: "", column: "relayspassword", ..PLACE },
        Place { table: "password", column: "relays", ..PLACE },
    ];
    for place in others {
        assert_eq!(vault.open(place, &whole).unwrap_err(), VaultError::Damaged, "{place:?}");
    }
    assert!(vault.open(PLACE, &whole).is_ok());
}

#[test]
fn an_old_key_opens_and_does_not_seal() {
    let (before, between) = (vault(1, &[]), vault(2, &[1, 3]));
    let old = sealed(&before, b"open sesame");
    assert!(before.is_current(&old) && !between.is_current(&old));
    let opened = between.open(PLACE, &old).unwrap();
    let new = sealed(&between, &opened);
    assert!(between.is_current(&new));
    let after = vault(2, &[]);
    assert_eq!(after.open(PLACE, &new).unwrap().as_slice(), b"open sesame");
    assert!(![&[][..], b"open sesame", &[FORM]].into_iter().any(|other| after.is_current(other)));
    assert_eq!(between.ids().collect::<Vec<_>>(), [key(2).id(), key(1).id(), key(3).id()]);
}

#[test]
fn a_key_that_is_missing_is_named_and_another_s_id_does_not_open() {
    let old = sealed(&vault(1, &[]), b"open sesame");
    let error = vault(2, &[3]).open(PLACE, &old).unwrap_err();
    assert_eq!(error, VaultError::MissingKey(key(1).id()));
    let words = format!("it is sealed with the key {}, which is neither SECRET_KEY nor one of SECRET_KEYS_OLD", key(1).id());
    assert_eq!(error.to_string(), words);
    let mut relabelled = old;
    relabelled[1..9].copy_from_slice(key(2).id().as_bytes());
    assert_eq!(vault(2, &[]).open(PLACE, &relabelled).unwrap_err(), VaultError::Damaged);
}

#[test]
fn nothing_secret_is_shown() {
    let vault = vault(1, &[2]);
    assert_eq!(format!("{vault:?}"), format!("Vault [{}, {}]", key(1).id(), key(2).id()));
    assert_eq!(format!("{:?}", vault.seal(&OsEntropy, PLACE, b"open sesame").unwrap()), "Sealed(48 octets)");
}

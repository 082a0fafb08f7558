//! Whose turn it is: first in, first out while all that is due fits into one claim, and from tenant to tenant while it does not.
//!
//! What a node remembers of it is a hint: it is about order alone, and a node that starts anew loses nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::claim_rows::Row;

/// Where a walk over the tenants stopped: after this tenant's mail of this priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) tenant: Uuid,
    pub(crate) priority: i16,
}

impl Stop {
    /// Before the first of all.
    const START: Self = Self { tenant: Uuid::nil(), priority: -1 };
}

/// How the next claim is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// What came first, whosever it is.
    FirstIn,
    /// From this tenant to the next.
    After(Stop),
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// It brought something, or there may be something where it did not look.
    Unfinished,
    /// Nothing is due, of those who are not passed over.
    NothingDue,
}

/// The turns of one node.
#[derive(Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<State>>);

struct State {
    /// More was due than fits into one claim.
    crowded: bool,
    next: Stop,
    /// Nothing was found since the walk began at the start.
    fruitless: bool,
}

impl Default for State {
    fn default() -> Self {
        Self { crowded: false, next: Stop::START, fruitless: true }
    }
}

impl Turns {
    /// How the next claim is to be made. Where some are passed over it goes from tenant to tenant, so that their mail is not looked through.
    pub(crate) fn next(&self, some_are_passed_over: bool) -> Turn {
        let mut state = self.state();
        if !state.crowded && !some_are_passed_over {
            return Turn::FirstIn;
        }
        if state.next == Stop::START {
            state.fruitless = true;
        }
        Turn::After(state.next)
    }

    /// Takes note of what a claim brought that wanted `count` emails.
    pub(crate) fn heard(&self, turn: Turn, count: i64, rows: &[Row]) -> Look {
        let emails = rows.iter().filter(|row| row.0.is_some()).count();
        let mut state = self.state();
        if turn == Turn::FirstIn {
            state.crowded = i64::try_from(emails).is_ok_and(|emails| emails >= count);
            return if emails == 0 { Look::NothingDue } else { Look::Unfinished };
        }
        let Some((tenant, priority, is_end, share)) = rows.first().and_then(|row| row.6) else { return Look::Unfinished };
        state.fruitless &= emails == 0;
        state.crowded = !is_end || has_more(rows, share);
        state.next = if is_end { Stop::START } else { Stop { tenant, priority } };
        if is_end && state.fruitless { Look::NothingDue } else { Look::Unfinished }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether some tenant was given as much as any is: it may have more.
fn has_more(rows: &[Row], share: i64) -> bool {
    let mut given: HashMap<Option<Uuid>, i64> = HashMap::new();
    for row in rows.iter().filter(|row| row.0.is_some()) {
        *given.entry(row.2.as_ref().map(|email| email.0)).or_default() += 1;
    }
    given.values().any(|given| *given >= share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    /// A claim's rows: one email for each of `tenants`, of a walk that stopped so.
    fn rows(tenants: &[u128], walk: Option<(Uuid, i16, bool, i64)>) -> Vec<Row> {
        let email = |number: &u128| (tenant(*number), "live".to_owned(), "a@x.example".to_owned(), false, None);
        if tenants.is_empty() && walk.is_some() {
            return vec![(None, None, None, None, None, None, walk, None)];
        }
        tenants.iter().map(|number| (Some(tenant(9)), Some(tenant(9)), Some(email(number)), None, None, None, walk, Some(1))).collect()
    }

    #[test]
    fn turns_are_taken_from_when_a_claim_is_full_until_nobody_has_more() {
        let turns = Turns::default();
        assert_eq!(turns.heard(turns.next(false), 2, &rows(&[1], None)), Look::Unfinished);
        assert_eq!(turns.next(false), Turn::FirstIn);
        turns.heard(Turn::FirstIn, 2, &rows(&[1, 1], None));
        let start = Turn::After(Stop::START);
        assert_eq!(turns.next(false), start);
        // One has two of two, the other one: there may be more.
        turns.heard(start, 3, &rows(&[1, 1, 2], Some((tenant(2), 0, true, 2))));
        assert_eq!(turns.next(false), start);
        turns.heard(start, 3, &rows(&[1, 2], Some((tenant(2), 0, true, 2))));
        assert_eq!(turns.next(false), Turn::FirstIn);
    }

    #[test]
    fn a_walk_goes_on_where_it_stopped_and_begins_again_at_its_end() {
        let turns = Turns::default();
        turns.heard(Turn::FirstIn, 1, &rows(&[1], None));
        let turn = turns.next(false);
        turns.heard(turn, 1, &rows(&[1], Some((tenant(1), 7, false, 1))));
        let turn = turns.next(false);
        assert_eq!(turn, Turn::After(Stop { tenant: tenant(1), priority: 7 }));
        turns.heard(turn, 1, &rows(&[2], Some((tenant(2), 7, true, 1))));
        assert_eq!(turns.next(false), Turn::After(Stop::START));
    }

    #[test]
    fn nothing_is_due_only_when_a_whole_walk_has_found_nothing() {
        let turns = Turns::default();
        let walked = |found: &[u128], is_end| {
            let turn = turns.next(true);
            turns.heard(turn, 5, &rows(found, Some((tenant(1), 0, is_end, 5))))
        };
        assert_eq!(walked(&[], false), Look::Unfinished);
        assert_eq!(walked(&[1], false), Look::Unfinished);
        assert_eq!(walked(&[], true), Look::Unfinished, "something was found on the way");
        assert_eq!([walked(&[], false), walked(&[], true)], [Look::Unfinished, Look::NothingDue]);
        assert_eq!(turns.heard(Turn::FirstIn, 5, &[]), Look::NothingDue);
    }
}

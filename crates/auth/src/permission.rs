//! The permissions of SelfMX: the one list.

crate::permissions! {
    /// A permission: what a key may do. None implies another; `*` holds all, those added later too.
    pub enum Permission, set PermissionSet, markers needs;
    wildcard All = "*", "Full access (admin)";
    Send = "send", "Send emails";
    TemplatesRead = "templates:read", "View templates";
    TemplatesWrite = "templates:write", "Create/update templates";
    WebhooksRead = "webhooks:read", "View webhook configurations";
    WebhooksWrite = "webhooks:write", "Configure webhooks";
    ApiKeysRead = "api-keys:read", "List API keys";
    ApiKeysWrite = "api-keys:write", "Create/revoke API keys";
    LogsRead = "logs:read", "View email logs";
    SuppressionsRead = "suppressions:read", "View suppressed addresses";
    SuppressionsWrite = "suppressions:write", "Suppress addresses and release them";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn subsets() -> impl Iterator<Item = BTreeSet<Permission>> {
        let count = Permission::ALL.len();
        (0_u32..1 << count).map(move |bits| {
            Permission::ALL.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1).map(|(_, permission)| *permission).collect()
        })
    }

    /// What `holds` has to say, in the words of the contract.
    fn naive(held: &BTreeSet<Permission>, wanted: Permission) -> bool {
        held.iter().any(|permission| permission.as_str() == "*" || permission.as_str() == wanted.as_str())
    }

    #[test]
    fn every_subset_decides_every_permission_as_the_contract_says() {
        let mut decided = 0;
        for held in subsets() {
            let set: PermissionSet = held.iter().copied().collect();
            for wanted in Permission::ALL {
                assert_eq!(set.holds(*wanted), naive(&held, *wanted), "{held:?} {wanted}");
                decided += 1;
            }
            assert_eq!(set.iter().collect::<BTreeSet<_>>(), held);
            assert_eq!(set.is_empty(), held.is_empty());
        }
        assert_eq!(decided, (1 << Permission::ALL.len()) * Permission::ALL.len());
    }

    #[test]
    fn what_is_named_twice_is_held() {
        for permission in Permission::ALL {
            assert_eq!([*permission; 2].into_iter().collect::<PermissionSet>(), PermissionSet::from(*permission));
        }
    }

    #[test]
    fn every_set_covers_just_what_it_holds_one_by_one() {
        for parent in subsets() {
            let parent_set: PermissionSet = parent.iter().copied().collect();
            for child in subsets() {
                let child_set: PermissionSet = child.iter().copied().collect();
                assert_eq!(parent_set.covers(child_set), child.iter().all(|wanted| naive(&parent, *wanted)), "{parent:?} {child:?}");
            }
        }
    }

    #[test]
    fn the_texts_are_those_of_the_contract() {
        let texts: Vec<_> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
        assert_eq!(
            texts,
            [
                "*",
                "send",
                "templates:read",
                "templates:write",
                "webhooks:read",
                "webhooks:write",
                "api-keys:read",
                "api-keys:write",
                "logs:read",
                "suppressions:read",
                "suppressions:write"
            ]
        );
        for permission in Permission::ALL {
            assert_eq!(permission.as_str().parse(), Ok(*permission));
            assert!(!permission.description().is_empty());
        }
    }

    #[test]
    fn markers_stand_for_their_permission() {
        assert_eq!(<needs::All as Scope>::PERMISSION, Permission::All);
        assert_eq!(<needs::Send as Scope>::PERMISSION, Permission::Send);
        assert_eq!(<needs::LogsRead as Scope>::PERMISSION, Permission::LogsRead);
    }

    proptest! {
        #[test]
        fn no_other_text_is_a_permission(text in "[a-z*:-]{0,16}") {
            let known = Permission::ALL.iter().any(|permission| permission.as_str() == text);
            prop_assert_eq!(text.parse::<Permission>().is_ok(), known);
        }
    }
}

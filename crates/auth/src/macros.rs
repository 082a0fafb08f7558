//! `permissions!`: one list of permissions, from which everything else follows.

/// Declares a list of permissions once: an enum with its texts, a set, and a marker type for each.
///
/// The first line names the wildcard, which holds all others, those added later too. From `enum Permission, set PermissionSet, markers needs` come:
///
/// - `Permission`: one variant each, with `ALL`, `as_str()`, `description()` and a parser;
/// - `Scope`: the trait that the markers implement, `Scope::PERMISSION` being the variant;
/// - `needs::Send`, …: one empty type each, to stand in a signature;
/// - `PermissionSet`: which of them a key holds; `holds()` is the one decision.
///
/// At most 64 permissions fit a set; more do not compile.
///
/// ```
/// mod right {
///     selfmx_auth::permissions! {
///         /// What a key of the photo service may do.
///         pub enum Right, set Rights, markers needs;
///         wildcard All = "*", "Everything";
///         See = "photos:read", "See photos";
///         Add = "photos:write", "Add photos";
///     }
/// }
/// use right::{Right, Rights, Scope, needs};
///
/// fn main() {
///     let held: Rights = [Right::See].into_iter().collect();
///     assert!(held.holds(Right::See) && !held.holds(Right::Add));
///     assert_eq!(<needs::Add as Scope>::PERMISSION.as_str(), "photos:write");
///     assert!(Rights::from(Right::All).holds(Right::Add));
/// }
/// ```
#[macro_export]
macro_rules! permissions {
    (
        $(#[$doc:meta])*
        $visibility:vis enum $Permission:ident, set $Set:ident, markers $markers:ident;
        wildcard $All:ident = $all_text:literal, $all_doc:literal;
        $($Variant:ident = $text:literal, $variant_doc:literal;)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $visibility enum $Permission {
            #[doc = concat!("`", $all_text, "`: ", $all_doc)]
            $All,
            $(
                #[doc = concat!("`", $text, "`: ", $variant_doc)]
                $Variant,
            )*
        }

        impl $Permission {
            /// Every permission, in the order of the list; the wildcard is the first.
            pub const ALL: &'static [Self] = &[Self::$All, $(Self::$Variant),*];

            /// The permission as requests and answers write it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::$All => $all_text,
                    $(Self::$Variant => $text,)*
                }
            }

            /// What it allows, in a few words.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self {
                    Self::$All => $all_doc,
                    $(Self::$Variant => $variant_doc,)*
                }
            }

            const fn bit(self) -> u64 {
                1 << (self as u64)
            }
        }

        const _: () = assert!($Permission::ALL.len() <= 64, "a set holds at most 64 permissions");

        impl ::core::fmt::Display for $Permission {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        /// A text that names no permission.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility struct UnknownPermission;

        impl ::core::fmt::Display for UnknownPermission {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(concat!("is no permission; there are: ", $all_text $(, ", ", $text)*))
            }
        }

        impl ::core::error::Error for UnknownPermission {}

        impl ::core::str::FromStr for $Permission {
            type Err = UnknownPermission;

            fn from_str(text: &str) -> ::core::result::Result<Self, UnknownPermission> {
                Self::ALL.iter().copied().find(|permission| permission.as_str() == text).ok_or(UnknownPermission)
            }
        }

        /// A permission as a type, to stand in a signature.
        $visibility trait Scope {
            /// The permission that the type stands for.
            const PERMISSION: $Permission;
        }

        /// One type for each permission.
        $visibility mod $markers {
            #[doc = $all_doc]
            #[derive(Debug)]
            pub enum $All {}

            impl super::Scope for $All {
                const PERMISSION: super::$Permission = super::$Permission::$All;
            }

            $(
                #[doc = $variant_doc]
                #[derive(Debug)]
                pub enum $Variant {}

                impl super::Scope for $Variant {
                    const PERMISSION: super::$Permission = super::$Permission::$Variant;
                }
            )*
        }

        /// Which permissions a key holds.
        #[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
        $visibility struct $Set(u64);

        impl $Set {
            /// Whether the set holds `permission`, by name or by the wildcard. None implies another.
            #[must_use]
            pub const fn holds(self, permission: $Permission) -> bool {
                self.0 & ($Permission::$All.bit() | permission.bit()) != 0
            }

            /// Whether whoever holds this set may give away `other`: it holds each permission in it.
            #[must_use]
            pub const fn covers(self, other: Self) -> bool {
                self.holds($Permission::$All) || other.0 & !self.0 == 0
            }

            /// Whether nothing is in it.
            #[must_use]
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// What was put in, in the order of the list; the wildcard stands for itself.
            pub fn iter(self) -> impl Iterator<Item = $Permission> {
                $Permission::ALL.iter().copied().filter(move |permission| self.0 & permission.bit() != 0)
            }
        }

        impl ::core::iter::FromIterator<$Permission> for $Set {
            fn from_iter<I: ::core::iter::IntoIterator<Item = $Permission>>(permissions: I) -> Self {
                Self(permissions.into_iter().fold(0, |bits, permission| bits | permission.bit()))
            }
        }

        impl ::core::convert::From<$Permission> for $Set {
            fn from(permission: $Permission) -> Self {
                Self(permission.bit())
            }
        }

        impl ::core::fmt::Debug for $Set {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_set().entries(self.iter().map($Permission::as_str)).finish()
            }
        }
    };
}

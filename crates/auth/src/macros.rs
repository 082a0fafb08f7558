//! `permissions!`: one list of permissions, from which everything else follows.

/// Declares a list of permissions once: an enum with its texts, a set, and a marker type for each.
///
/// The first line names the wildcard, which holds all others, those added later too. From `enum Right, set Rights, markers needs` come:
///
/// - `Right`: one variant each, with `ALL`, `as_str()`, `description()` and a parser;
/// - `Scope`: the trait that the markers implement, `Scope::PERMISSION` being the variant;
/// - `needs::Add`, …: one empty type each, to stand in a signature;
/// - `Rights`: which of them somebody holds; `holds()` is the one decision.
///
/// With `, proof Proof` at the end of that line come as well:
///
/// - `Holder`: the trait by which a type of one's own, which only its authentication makes, says what it holds;
/// - `Proof<needs::Add, Caller>`: that this caller holds the permission. `Proof::of` alone makes one and gives the caller out again, so that what takes
///   the proof needs neither a check nor another argument that says who asks;
/// - `Missing`: the permission that was not held.
///
/// At most 64 permissions fit a set; more do not compile. Give the list a module of its own: whatever is in the module with it sees inside the set.
///
/// ```
/// mod right {
///     selfmx_auth::permissions! {
///         /// What a key of the photo service may do.
///         pub enum Right, set Rights, markers needs, proof Proof;
///         wildcard All = "*", "Everything";
///         See = "photos:read", "See photos";
///         Add = "photos:write", "Add photos";
///     }
/// }
/// use right::{Holder, Missing, Proof, Right, Rights, Scope, needs};
///
/// struct Caller { name: &'static str, rights: Rights }
///
/// impl Holder for Caller {
///     fn held(&self) -> Rights { self.rights }
/// }
///
/// fn add(proof: &Proof<needs::Add, Caller>) -> String {
///     format!("added by {}", proof.holder().name)
/// }
///
/// fn main() {
///     let held: Rights = [Right::See].into_iter().collect();
///     assert!(held.holds(Right::See) && !held.holds(Right::Add));
///     assert_eq!(<needs::Add as Scope>::PERMISSION.as_str(), "photos:write");
///
///     let (ann, bob) = (Caller { name: "Ann", rights: Right::All.into() }, Caller { name: "Bob", rights: held });
///     assert_eq!(Proof::of(ann).map(|proof| add(&proof)), Ok("added by Ann".to_owned()));
///     assert_eq!(Proof::of(bob).map(|proof| add(&proof)), Err(Missing(Right::Add)));
/// }
/// ```
#[macro_export]
macro_rules! permissions {
    (
        $(#[$doc:meta])*
        $visibility:vis enum $Permission:ident, set $Set:ident, markers $markers:ident $(, proof $Proof:ident)?;
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

            $(
                /// Who holds permissions: a type that nothing but its authentication makes.
                pub trait Holder {
                    /// What it holds.
                    fn held(&self) -> super::$Set;
                }

                impl<H: Holder + ?Sized> Holder for &H {
                    fn held(&self) -> super::$Set {
                        (**self).held()
                    }
                }

                /// The permission that was asked for is not held.
                #[derive(Clone, Copy, Debug, PartialEq, Eq)]
                pub struct Missing(
                    /// The permission.
                    pub super::$Permission,
                );

                impl ::core::fmt::Display for Missing {
                    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                        ::core::write!(f, "this needs the permission `{}`, which is not held", self.0)
                    }
                }

                impl ::core::error::Error for Missing {}

                /// Proof that `H` holds the permission that `P` stands for. It can be neither copied nor made but by `of`.
                #[must_use = "a proof is there to be handed to what needs it"]
                pub struct $Proof<P, H> {
                    holder: H,
                    scope: ::core::marker::PhantomData<fn() -> P>,
                }

                impl<P: super::Scope, H: Holder> $Proof<P, H> {
                    /// Asks for the proof.
                    ///
                    /// # Errors
                    ///
                    /// `Missing` names the permission where `holder` does not hold it.
                    pub fn of(holder: H) -> ::core::result::Result<Self, Missing> {
                        if holder.held().holds(P::PERMISSION) {
                            return ::core::result::Result::Ok(Self { holder, scope: ::core::marker::PhantomData });
                        }
                        ::core::result::Result::Err(Missing(P::PERMISSION))
                    }

                    /// Who holds it.
                    pub const fn holder(&self) -> &H {
                        &self.holder
                    }
                }

                impl<P: super::Scope, H> ::core::fmt::Debug for $Proof<P, H> {
                    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                        ::core::write!(f, "{}({})", ::core::stringify!($Proof), P::PERMISSION)
                    }
                }
            )?
        }

        $($visibility use $markers::{$Proof, Holder, Missing};)?

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

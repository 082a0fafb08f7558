//! The floors: nothing climbs, and no two rooms on one floor know each other.

use crate::check::Finding;
use crate::workspace::{Dependency, Kind, Member};

/// Every package of the house and the floor that it stands on, as drawn in `docs/architecture.md`.
const FLOORS: &[(&str, u8)] = &[
    ("selfmx-domain", 1),
    ("selfmx-metrics", 1),
    ("selfmx-pgbox", 1),
    ("selfmx-auth", 2),
    ("selfmx-mail", 2),
    ("selfmx-template", 2),
    ("selfmx-webhook", 2),
    ("selfmx-storage", 3),
    ("selfmx-wire", 3),
    ("selfmx-app", 4),
    ("selfmx-worker", 4),
    ("selfmx-http", 5),
    ("selfmx-submission", 5),
    ("selfmx-server", 6),
    ("selfmx-bench", 6),
    ("selfmx-chaos", 6),
    ("xtask", 6),
];

/// Programs of development, which no one installs: they may stand on what tests stand on.
const WORKSHOP: &[&str] = &["selfmx-bench", "selfmx-chaos"];

/// The rooms without I/O, which others embed, and all that they may ship.
const PURE: &[(&str, &[&str])] = &[
    ("selfmx-domain", &["base64", "idna", "serde_core", "thiserror", "time", "uuid", "zeroize"]),
    ("selfmx-auth", &["crc32fast", "ipnet", "selfmx-domain", "sha2", "subtle", "thiserror", "time", "zeroize"]),
    ("selfmx-metrics", &[]),
    ("selfmx-template", &["handlebars", "selfmx-domain", "serde_json", "thiserror", "time"]),
];

/// What tests stand on: beside the house, seen by tests alone.
const SCAFFOLD: &str = "selfmx-testing";

/// The floor below which the scaffold's own dependencies must stand: it may use any room, and no binary.
const ROOF: u8 = 6;

/// The packages without a floor and the dependencies that do not go down.
pub(crate) fn findings(members: &[Member]) -> Vec<Finding> {
    members.iter().flat_map(member_findings).collect()
}

fn member_findings(member: &Member) -> Vec<Finding> {
    let Some(floor) = own_floor(&member.name) else {
        let text = "stands on no floor; give it one in bins/xtask/src/floors.rs and docs/architecture.md";
        return vec![Finding::new(&member.name, text)];
    };
    let wrong = |dependency| fault(&member.name, floor, dependency).or_else(|| stranger(&member.name, dependency));
    let faults = member.dependencies.iter().filter_map(wrong);
    faults.map(|text| Finding::new(&member.name, text)).collect()
}

fn fault(member: &str, floor: u8, dependency: &Dependency) -> Option<String> {
    let name = &dependency.name;
    if name == SCAFFOLD {
        return (dependency.kind == Kind::Shipped && !WORKSHOP.contains(&member))
            .then(|| format!("ships {name}, which is for [dev-dependencies] alone"));
    }
    let below = floor_of(name)?;
    if below > floor {
        return Some(format!("climbs from floor {floor} to {name} on floor {below}"));
    }
    (below == floor).then(|| format!("knows its neighbour {name} on floor {floor}"))
}

/// A dependency that a room without I/O ships and that was not agreed.
fn stranger(member: &str, dependency: &Dependency) -> Option<String> {
    let (_, agreed) = PURE.iter().find(|(room, _)| *room == member)?;
    let name = dependency.name.as_str();
    let strange = dependency.kind == Kind::Shipped && !agreed.contains(&name);
    strange.then(|| format!("ships {name}, which is not among what a room without I/O may ship (bins/xtask/src/floors.rs)"))
}

fn own_floor(name: &str) -> Option<u8> {
    if name == SCAFFOLD {
        return Some(ROOF);
    }
    floor_of(name)
}

/// `None` for a package that is not ours.
fn floor_of(name: &str) -> Option<u8> {
    let mut rooms = FLOORS.iter();
    rooms.find(|(room, _)| *room == name).map(|(_, floor)| *floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, dependencies: &[(&str, Kind)]) -> Member {
        let dependency = |(name, kind): &(&str, Kind)| Dependency { name: (*name).to_owned(), kind: *kind };
        Member { name: name.to_owned(), dependencies: dependencies.iter().map(dependency).collect() }
    }

    fn texts(name: &str, dependencies: &[(&str, Kind)]) -> Vec<String> {
        let found = findings(&[member(name, dependencies)]);
        found.into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn going_down_is_allowed_and_others_packages_stand_on_no_floor() {
        let down = [
            ("selfmx-mail", Kind::Shipped),
            ("selfmx-storage", Kind::Shipped),
            ("tokio", Kind::Shipped),
            ("selfmx-testing", Kind::Development),
        ];
        assert_eq!(texts("selfmx-app", &down), Vec::<String>::new());
    }

    #[test]
    fn climbing_is_found_in_shipped_code_and_in_tests() {
        for kind in [Kind::Shipped, Kind::Development] {
            let found = texts("selfmx-storage", &[("selfmx-app", kind)]);
            assert_eq!(found, ["climbs from floor 3 to selfmx-app on floor 4"]);
        }
    }

    #[test]
    fn rooms_without_io_ship_what_was_agreed_and_test_with_anything() {
        assert_eq!(texts("selfmx-auth", &[("selfmx-domain", Kind::Shipped), ("hyper", Kind::Development)]), Vec::<String>::new());
        let found = texts("selfmx-auth", &[("hyper", Kind::Shipped)]);
        assert!(matches!(&found[..], [text] if text.starts_with("ships hyper, which is not among")), "{found:?}");
        assert_eq!(texts("selfmx-domain", &[("tokio", Kind::Shipped)]).len(), 1);
    }

    #[test]
    fn neighbours_are_found() {
        let found = texts("selfmx-auth", &[("selfmx-mail", Kind::Shipped)]);
        assert_eq!(found, ["knows its neighbour selfmx-mail on floor 2"]);
    }

    #[test]
    fn the_scaffold_is_for_tests_alone_and_uses_no_binary() {
        let found = texts("selfmx-http", &[("selfmx-testing", Kind::Shipped)]);
        assert_eq!(found, ["ships selfmx-testing, which is for [dev-dependencies] alone"]);
        assert_eq!(texts("selfmx-chaos", &[(SCAFFOLD, Kind::Shipped)]), Vec::<String>::new());
        assert_eq!(texts(SCAFFOLD, &[("selfmx-http", Kind::Shipped)]), Vec::<String>::new());
        assert_eq!(texts(SCAFFOLD, &[("xtask", Kind::Shipped)]).len(), 1);
    }

    #[test]
    fn a_package_without_a_floor_is_found() {
        let found = texts("selfmx-attic", &[]);
        assert!(matches!(&found[..], [text] if text.starts_with("stands on no floor")));
    }
}

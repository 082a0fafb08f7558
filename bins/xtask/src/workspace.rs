//! The workspace as `cargo metadata` tells it, reduced to what the checks need.

use std::path::PathBuf;

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

use crate::failure::Failure;

/// The folders and the packages.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// Where the root `Cargo.toml` stands.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds; follows `CARGO_TARGET_DIR`.
    pub(crate) target: PathBuf,
    /// Our own packages.
    pub(crate) members: Vec<Member>,
}

/// One package of ours.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// Its name.
    pub(crate) name: String,
    /// What it depends on, ours and others'.
    pub(crate) dependencies: Vec<Dependency>,
}

/// One dependency of a package.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    /// The package depended on, whatever it is renamed to.
    pub(crate) name: String,
    /// What it is needed for.
    pub(crate) kind: Kind,
}

/// What a dependency is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The code itself, or its build script: part of what is shipped.
    Shipped,
    /// Tests, examples and benchmarks.
    Development,
}

impl Workspace {
    /// Asks cargo; nothing is fetched.
    ///
    /// # Errors
    ///
    /// [`Failure::Metadata`] when cargo refuses, for instance for a manifest that it cannot read.
    pub(crate) fn load() -> Result<Self, Failure> {
        let metadata = MetadataCommand::new().no_deps().exec()?;
        Ok(Self {
            root: metadata.workspace_root.into_std_path_buf(),
            target: metadata.target_directory.into_std_path_buf(),
            members: metadata.packages.into_iter().map(Member::from).collect(),
        })
    }
}

impl From<Package> for Member {
    fn from(package: Package) -> Self {
        let dependencies = package.dependencies.into_iter().map(Dependency::from);
        Self { name: package.name.to_string(), dependencies: dependencies.collect() }
    }
}

impl From<cargo_metadata::Dependency> for Dependency {
    fn from(dependency: cargo_metadata::Dependency) -> Self {
        let kind = match dependency.kind {
            DependencyKind::Development => Kind::Development,
            _ => Kind::Shipped,
        };
        Self { name: dependency.name, kind }
    }
}

//! Placeholder binary while the floors below are built.

fn main() {}

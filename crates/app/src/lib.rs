//! One file per thing a caller may ask for; each takes a permit.

//! A real PostgreSQL, made, started, found, killed and stopped, as root and as an ordinary user alike.

mod account;
mod crash;
mod find;
mod lifetime;
mod make;
mod place;
mod refuse;

//! `POST /v1/send`: what is accepted, what becomes of it, and what is refused.

mod accepted;
mod bodies;
mod content;
mod defaults;
mod templated;
mod wrong;

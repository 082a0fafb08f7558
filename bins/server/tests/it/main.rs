//! The binary as its users meet it: started as a process, asked over HTTP, killed.

mod access;
mod crash;
mod curl;
mod forms;
mod keys;
mod process;
mod seed;
mod tenants;
mod world;

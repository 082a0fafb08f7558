//! The binary as its users meet it: started as a process, asked over HTTP, killed.

mod access;
mod conventions;
mod crash;
mod curl;
mod delivery;
mod emails;
mod forms;
mod health;
mod keys;
mod operation;
mod process;
mod seed;
mod send;
mod smtp;
mod tenants;
mod world;

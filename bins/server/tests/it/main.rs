//! The binary as its users meet it: started as a process, asked over HTTP, killed.

mod crash;
mod process;

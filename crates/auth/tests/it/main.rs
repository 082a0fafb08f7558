//! The permission core from outside: against a naive model, in random walks, by tables, and what must not compile.

#[cfg(test)]
mod amending;
#[cfg(test)]
mod any;
#[cfg(test)]
mod compiling;
#[cfg(test)]
mod covering;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod facts;
#[cfg(test)]
mod granting;
#[cfg(test)]
mod own;
#[cfg(test)]
mod recognising;
#[cfg(test)]
mod sending;
#[cfg(test)]
mod store;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod walks;

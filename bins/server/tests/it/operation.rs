//! The server as its operator meets it: settings, start, stop, outages, logs.

mod logs;
mod outage;
mod private;
mod settings;
mod start;
mod stop;
mod tls;

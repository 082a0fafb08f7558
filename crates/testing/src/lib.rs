//! What tests run against: databases, SMTP sinks, clocks. A dev-dependency only.

mod certificate;
mod clock;
mod database;
mod entropy;
mod events;
mod http;
mod load;
mod openssl;
mod postfix;
mod principal;
mod promtool;
pub mod python;
mod receiver;
mod sink;
pub mod standard_webhooks;
mod tool;

pub use certificate::Certificate;
pub use clock::{ManualClock, SystemClock};
pub use database::Database;
pub use entropy::{OsEntropy, SeededEntropy};
pub use events::{EventReader, EventRequest};
pub use http::{HttpAnswer, HttpClient, NoAnswer};
pub use hyper::Version;
pub use load::{Load, Sent};
pub use openssl::openssl;
pub use postfix::{Postfix, SmtpSink};
pub use principal::principal;
pub use promtool::check_metrics;
pub use receiver::Receiver;
pub use sink::{Act, Fault, Gate, Ledger, Phase, Sink, SinkSettings, SinkTls, Transaction};
pub use tool::{exit_code, make_passable};

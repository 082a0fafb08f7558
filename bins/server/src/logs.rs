//! Structured logs, on standard error: JSON, or text on a terminal.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::environment::{Environment, SettingError};

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Text,
}

/// Whom the log is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Whoever gathers the logs of a server: as much as `LOG_LEVEL` says.
    Gatherer,
    /// Whoever typed a command and reads its answer: warnings at most, as text unless `LOG_FORMAT` says otherwise.
    Operator,
}

/// Sets logging up as `LOG_LEVEL` and `LOG_FORMAT` say.
pub(crate) fn start(environment: &Environment, reader: Reader) -> Result<(), SettingError> {
    let level = environment.read("LOG_LEVEL", "debug, info, warn or error", |text| match text {
        "debug" => Some(LevelFilter::DEBUG),
        "info" => Some(LevelFilter::INFO),
        "warn" => Some(LevelFilter::WARN),
        "error" => Some(LevelFilter::ERROR),
        _ => None,
    })?;
    let format = environment.read("LOG_FORMAT", "json or text", |text| match text {
        "json" => Some(Format::Json),
        "text" => Some(Format::Text),
        _ => None,
    })?;
    let on_terminal = std::io::stderr().is_terminal();
    let for_people = on_terminal || reader == Reader::Operator;
    let format = format.unwrap_or(if for_people { Format::Text } else { Format::Json });
    // The level is ours; the libraries below say no more than they do at info, since some write statements and addresses at debug.
    let most = if reader == Reader::Operator { LevelFilter::WARN } else { LevelFilter::TRACE };
    let level = level.unwrap_or(LevelFilter::INFO).min(most);
    let others = level.min(LevelFilter::INFO);
    // By how its name begins: all of ours.
    let filter = Targets::new().with_default(others).with_target("selfmx", level);
    let (registry, layer) = (tracing_subscriber::registry().with(filter), tracing_subscriber::fmt::layer().with_writer(std::io::stderr));
    match format {
        Format::Json => registry.with(layer.json().flatten_event(true).with_current_span(true).with_span_list(false)).init(),
        Format::Text => registry.with(layer.with_ansi(on_terminal)).init(),
    }
    Ok(())
}

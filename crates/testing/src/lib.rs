//! What tests run against: databases, SMTP sinks, clocks. A dev-dependency only.

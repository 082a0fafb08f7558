//! The route table: parse, call the application, answer.

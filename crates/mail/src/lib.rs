//! Turns an email into bytes and hands them to a relay.

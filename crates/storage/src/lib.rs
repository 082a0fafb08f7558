//! Keeps everything in PostgreSQL; whole business steps only.

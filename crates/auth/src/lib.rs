//! Decides, purely, who an API key is and what it may do.

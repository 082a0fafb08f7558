//! What the octets of a message promise, whatever the draft.

//! Leases due work, does it, settles it.

//! The only JSON shapes in the house: requests, views, errors.

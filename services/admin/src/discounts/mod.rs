//! Discounts: listed, given, removed, and written off once their flight has left.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod remove;

//! The booking service through its front door: HTTP in, rows and bodies out.

mod races;
mod support;

//! The admin service through its front door: HTTP in, rows and bodies out.

mod access;
mod health;
mod http;
mod openapi;
mod settings;
mod support;

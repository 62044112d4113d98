//! Migrating real databases, each test its own on the server of `DATABASE_URL`.

mod administrator;
mod adoption;
mod cut_off;
mod demo;
mod program;
mod rules;
mod runs;
mod support;

//! Compiles the crate anew when a migration is added, because [`sqlx::migrate!`] embeds them.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}

//! `POST /api/bookings`

mod again;
mod conflicts;
mod late_money;
mod made;
mod paid_first;
mod shapes;
mod two_tabs;

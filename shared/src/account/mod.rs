//! What an account is and may: its status and role, names and addresses, passwords, its own words.

pub mod django;
pub mod hashing;
pub mod names;
pub mod password;
pub mod status;
pub mod words;

pub use names::{Email, Username};
pub use password::Password;
pub use status::{Bar, Role, Standing, Status};

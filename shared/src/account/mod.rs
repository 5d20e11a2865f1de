//! What an account is and may: its status and role, names and addresses, passwords.

pub mod hashing;
pub mod names;
pub mod password;
pub mod status;

pub use names::{Email, Username};
pub use password::Password;
pub use status::{Bar, Role, Standing, Status};

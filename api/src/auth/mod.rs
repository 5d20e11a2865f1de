//! Who calls: access tokens, the keys that sign them, and the callers that they tell of.

mod address;
mod caller;
pub mod keys;
pub mod tokens;

pub use address::{TrustedProxies, client_address};
pub use caller::{Admin, Bearer, Caller, bearer_token};

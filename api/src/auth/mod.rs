//! Who calls: access tokens, and the callers that they tell of.

mod caller;
pub mod tokens;

pub use caller::{Admin, Bearer, Caller, bearer_token, client_address};

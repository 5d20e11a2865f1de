//! Lastseen's HTTP API and page, and the stand-alone program.
//!
//! - [`startup`]: builds the application, for the programs and the tests alike.
//! - [`programs`]: what each command does; [`cli`]: its flags.
//! - [`routes`]: which path goes where.
//! - [`handlers`]: a file an area; each parses, authorises, calls one function of the shared services, answers.
//! - [`auth`]: tokens, and who calls.
//! - [`shapes`]: what goes over the wire.
//! - [`observe`]: what is counted, timed and logged of each request, and its id.
//! - [`problem`]: how a refusal becomes an answer.
//! - [`openapi`]: the document that describes all of it.

pub mod auth;
pub mod body;
pub mod cli;
pub mod csv;
pub mod fast_path;
pub mod flood;
pub mod fuzz_targets;
pub mod handlers;
pub mod live;
pub mod observe;
pub mod openapi;
pub mod page;
pub mod problem;
pub mod programs;
pub mod routes;
pub mod shapes;
pub mod startup;
pub mod tls;

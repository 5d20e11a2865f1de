//! Programs that the benchmarks use; `deploy/bench/heartbeat.sh` and its like put them together.
//!
//! - `bare`: what actix-web does at best, to compare with.
//! - `crowd`: users who are online, in the database and in the presence engine.
//! - `engine`: what the memory engine costs, without API and database.
//! - `tokens`: access tokens of theirs, a line each.

mod bare;
mod crowd;
mod engine;

use std::io::Write;

use clap::{Arg, ArgMatches, Command, value_parser};

/// Why a program failed: anything at all, told and left.
pub type Failed = Box<dyn std::error::Error + Send + Sync>;

fn number(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).required(true).value_parser(value_parser!(i64)).help(help)
}

fn command() -> Command {
    let count = || number("count", "How many users");
    Command::new("lastseen-bench")
        .about("What the benchmarks of Lastseen use")
        .subcommand_required(true)
        .subcommand(
            Command::new("bare")
                .about("A bare actix-web endpoint, with the API's number of threads")
                .arg(Arg::new("bind").long("bind").required(true).help("Where to listen")),
        )
        .subcommand(
            Command::new("crowd")
                .about("Make users who are online, by DATABASE_URL and REDIS_URL; without REDIS_URL in the journal")
                .arg(count())
                .arg(number("timeout", "Their inactivity timeout, in seconds")),
        )
        .subcommand(Command::new("engine").about("Measure the memory engine: one line of JSON").arg(count()))
        .subcommand(
            Command::new("tokens")
                .about("Print access tokens of the first users, signed with LASTSEEN_JWT_SECRET")
                .arg(count())
                .arg(number("timeout", "Their inactivity timeout, in seconds")),
        )
}

fn of(matches: &ArgMatches, name: &str) -> i64 {
    matches.get_one(name).copied().unwrap_or_default()
}

#[actix_web::main]
async fn main() -> std::process::ExitCode {
    let matches = command().get_matches();
    let done = match matches.subcommand() {
        Some(("bare", matches)) => {
            bare::serve(matches.get_one::<String>("bind").map(String::as_str).unwrap_or_default()).await
        }
        Some(("crowd", matches)) => crowd::make(of(matches, "count"), of(matches, "timeout")).await,
        Some(("engine", matches)) => engine::measure(of(matches, "count")).await,
        Some(("tokens", matches)) => crowd::tokens(of(matches, "count"), of(matches, "timeout")),
        _ => Ok(()),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "lastseen-bench: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

//! Programs that the benchmarks use; `deploy/bench/heartbeat.sh` and its like put them together.
//!
//! - `bare`: what actix-web does at best, to compare with.
//! - `crowd`: users of whom some are online, in the database and in the presence engine.
//! - `hash`: what bcrypt takes.
//! - `plot`: a picture of how numbers grow.
//! - `reads`: one request again and again on one connection, and what it takes.
//! - `engine`: what the memory engine costs, without API and database.
//! - `tokens`: access tokens of theirs, a line each.
//! - `sweep`: sessions that fall due at once, and how long their sweep takes.
//! - `caught-up`: waits until the database has all transitions.
//! - `sockets`: sockets of theirs, what they cost, and how soon they are told.

mod bare;
mod crowd;
mod engine;
mod plot;
mod reads;
mod sockets;
mod sweep;

use std::io::Write;

use clap::{Arg, ArgMatches, Command, value_parser};

/// Why a program failed: anything at all, told and left.
pub type Failed = Box<dyn std::error::Error + Send + Sync>;

fn number(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).required(true).value_parser(value_parser!(i64)).help(help)
}

fn text(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).required(true).help(help)
}

fn command() -> Command {
    let count = || number("count", "How many users");
    Command::new("lastseen-bench")
        .about("What the benchmarks of Lastseen use")
        .subcommand_required(true)
        .subcommand(
            Command::new("bare")
                .about("A bare actix-web endpoint, with the API's number of threads")
                .arg(text("bind", "Where to listen")),
        )
        .subcommand(
            Command::new("crowd")
                .about("Make users who are online, by DATABASE_URL and REDIS_URL; without REDIS_URL in the journal")
                .arg(count())
                .arg(number("online", "How many of them are online: all without it").required(false))
                .arg(text("password", "What they log in with: nobody can without it").required(false))
                .arg(number("cost", "bcrypt's cost of that").required(false).default_value("12"))
                .arg(number("timeout", "Their inactivity timeout, in seconds")),
        )
        .subcommand(Command::new("hash").about("What bcrypt takes, in ms").arg(number("cost", "Its cost")))
        .subcommand(
            Command::new("plot")
                .about("Draw how numbers grow with the users")
                .arg(text("results", "The folder of the results"))
                .arg(text("picture", "The SVG to write")),
        )
        .subcommand(reads::command())
        .subcommand(Command::new("engine").about("Measure the memory engine: one line of JSON").arg(count()))
        .subcommand(
            Command::new("tokens")
                .about("Print access tokens of the first users, signed with LASTSEEN_JWT_SECRET")
                .arg(count())
                .arg(number("timeout", "Their inactivity timeout, in seconds")),
        )
        .subcommand(
            Command::new("sweep")
                .about("Have sessions fall due at once, sweep them, and print how long that took")
                .arg(number("first", "The first user"))
                .arg(count())
                .arg(number("within", "When they fall due, in seconds from now")),
        )
        .subcommand(Command::new("caught-up").about("Wait until the database has all transitions"))
        .subcommand(
            Command::new("sockets")
                .about("Open sockets of the first users, who watch as many others; the transitions go by REDIS_URL")
                .arg(Arg::new("address").long("address").required(true).help("Where the API listens"))
                .arg(number("api", "Its process"))
                .arg(number("count", "How many sockets"))
                .arg(number("timeout", "The users' inactivity timeout, in seconds"))
                .arg(number("idle", "How long to do nothing, in seconds"))
                .arg(number("rate", "Transitions a second after that"))
                .arg(number("seconds", "For so many seconds")),
        )
}

fn of(matches: &ArgMatches, name: &str) -> i64 {
    matches.get_one(name).copied().unwrap_or_default()
}

fn plan(matches: &ArgMatches) -> Result<sockets::Plan, Failed> {
    let of = |name| usize::try_from(of(matches, name));
    let seconds = |name| of(name).map(|seconds| std::time::Duration::from_secs(seconds as u64));
    Ok(sockets::Plan {
        address: matches.get_one::<String>("address").ok_or("--address is missing")?.parse()?,
        api: self::of(matches, "api"),
        count: of("count")?,
        timeout: seconds("timeout")?,
        idle: seconds("idle")?,
        rate: of("rate")?,
        seconds: of("seconds")?,
    })
}

#[actix_web::main]
async fn main() -> std::process::ExitCode {
    let matches = command().get_matches();
    let done = match matches.subcommand() {
        Some(("bare", matches)) => {
            bare::serve(matches.get_one::<String>("bind").map(String::as_str).unwrap_or_default()).await
        }
        Some(("crowd", matches)) => {
            let (count, timeout) = (of(matches, "count"), of(matches, "timeout"));
            let online = matches.get_one("online").copied().unwrap_or(count);
            let cost = u32::try_from(of(matches, "cost")).unwrap_or(12);
            let password = matches.get_one::<String>("password").map(|password| (password.clone(), cost));
            crowd::make(crowd::Crowd { count, online, timeout, password }).await
        }
        Some(("hash", matches)) => reads::hash(of(matches, "cost")),
        Some(("plot", matches)) => {
            let path = |name| matches.get_one::<String>(name).map(std::path::PathBuf::from).unwrap_or_default();
            plot::make(&path("results"), &path("picture"))
        }
        Some(("reads", matches)) => reads::run(matches),
        Some(("engine", matches)) => engine::measure(of(matches, "count")).await,
        Some(("tokens", matches)) => crowd::tokens(of(matches, "count"), of(matches, "timeout")),
        Some(("sweep", matches)) => {
            sweep::run(of(matches, "first"), of(matches, "count"), of(matches, "within")).await
        }
        Some(("caught-up", _)) => sweep::caught_up().await,
        Some(("sockets", matches)) => match plan(matches) {
            Ok(plan) => sockets::measure(plan).await,
            Err(error) => Err(error),
        },
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

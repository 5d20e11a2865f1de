//! The commands and their flags: each setting is a flag and an environment variable; the flag wins.

use clap::{Arg, ArgAction, Command};
use lastseen_shared::settings::table::flags;

/// For commands that need a database and no more.
fn in_standalone_database() -> Arg {
    let help = "In the stand-alone program's database [else DATABASE_URL says which]";
    Arg::new("standalone").long("standalone").action(ArgAction::SetTrue).help(help)
}

/// The program's commands.
#[must_use]
pub fn command() -> Command {
    let settings = flags();
    let with_settings =
        |name: &'static str, about: &'static str| Command::new(name).about(about).args(settings.clone());
    Command::new("lastseen-api")
        .about("Lastseen: who is online, and who was last seen when")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(with_settings(
            "standalone",
            "API, page and jobs in one process, with SQLite: nothing else to install",
        ))
        .subcommand(with_settings("serve", "API and page, on PostgreSQL and Redis, beside any number of replicas and workers"))
        .subcommand(with_settings("migrate", "Bring the database up to date and end"))
        .subcommand(
            with_settings("create-admin", "Make an admin, or make an account an admin with a new password")
                .arg(Arg::new("name").required(true).help("The admin's name"))
                .arg(Arg::new("email").long("email").help("The admin's address"))
                .arg(
                    Arg::new("password-stdin")
                        .long("password-stdin")
                        .action(ArgAction::SetTrue)
                        .help("Read the password from standard input [else LASTSEEN_ADMIN_PASSWORD, else a random one is printed]"),
                )
                .arg(
                    in_standalone_database(),
                ),
        )
        .subcommand(
            with_settings("seed-demo", "Fill an empty database with believable people, to try the page")
                .arg(Arg::new("users").long("users").value_parser(clap::value_parser!(u16)).help("How many [60]"))
                .arg(
                    in_standalone_database(),
                ),
        )
        .subcommand(
            with_settings("import-django", "Import accounts of a Django project, with their ids and passwords")
                .arg(Arg::new("file").required(true).help("Its table of users as CSV with a header"))
                .arg(
                    Arg::new("skip")
                        .long("skip")
                        .action(ArgAction::SetTrue)
                        .help("Leave out rows that are refused [else one of them stops all]"),
                )
                .arg(
                    in_standalone_database(),
                ),
        )
        .subcommand(with_settings("healthcheck", "Ask the program at LASTSEEN_BIND whether it is alive, for containers"))
        .subcommand(
            with_settings("rebuild-statistics", "Make statistics again of the history that there is, and end")
                .arg(Arg::new("from").long("from").help("From when on, RFC 3339 [all that there is]"))
                .arg(
                    in_standalone_database(),
                ),
        )
        .subcommand(Command::new("openapi").about("Print the OpenAPI document"))
}

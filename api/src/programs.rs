//! What each command does.

use std::io::{Read, Write};
use std::sync::Arc;

use clap::ArgMatches;
use lastseen_shared::account::hashing::Hasher;
use lastseen_shared::account::{Email, Password, Username};
use lastseen_shared::db::{Address, Db, DbError};
use lastseen_shared::demo;
use lastseen_shared::import;
use lastseen_shared::models::statistics::rebuild;
use lastseen_shared::presence::Engine;
use lastseen_shared::presence::clock::Clock;
use lastseen_shared::presence::memory::MemoryEngine;
use lastseen_shared::service::Service;
use lastseen_shared::settings::table::given;
use lastseen_shared::settings::{FirstAdmin, Form, Settings, default_email, socket_address};
use lastseen_shared::stop::stop_signal;
use lastseen_shared::timestamp::Timestamp;
use lastseen_worker::context::Context;
use lastseen_worker::deliver::{Deliverer, Sender, SystemResolver};

use crate::startup::{Application, StartError, any_admin, first_admin, random_text};
use crate::{cli, openapi};

/// Runs the command that the arguments name.
///
/// # Errors
/// [`StartError`] with a sentence for the operator.
pub async fn run() -> Result<(), StartError> {
    // A .env file that is not there is none that is wrong.
    match dotenvy::dotenv() {
        Err(error) if !error.not_found() => return Err(StartError::Refused(format!(".env: {error}"))),
        _ => {}
    }
    let matches = cli::command().get_matches();
    let Some((name, matches)) = matches.subcommand() else { return Ok(()) };
    if name == "openapi" {
        let text = openapi::json().map_err(|error| StartError::Refused(error.to_string()))?;
        // A reader that has seen enough is no error.
        let _ = writeln!(std::io::stdout(), "{text}");
        return Ok(());
    }
    let value = |name| matches.get_one::<String>(name).map(String::as_str);
    lastseen_shared::logging::start_logging(value("RUST_LOG"), value("LASTSEEN_LOG_FORMAT"));
    match name {
        "standalone" => standalone(&settings(matches, Form::StandAlone)?).await,
        "serve" => serve(&settings(matches, Form::Distributed)?).await,
        "migrate" => migrate(matches).await,
        "rebuild-statistics" => rebuild_statistics(matches).await,
        "seed-demo" => seed_demo(matches).await,
        "import-django" => import_django(matches).await,
        "healthcheck" => healthcheck(matches).await,
        _ => create_admin(matches).await,
    }
}

fn settings(matches: &ArgMatches, form: Form) -> Result<Settings, StartError> {
    Settings::check(&given(matches), form).map_err(|error| StartError::Refused(error.to_string()))
}

async fn serve(settings: &Settings) -> Result<(), StartError> {
    let application = Application::build(settings).await?;
    first_admin(&application.service, settings.accounts.first_admin.clone()).await?;
    log::info!("listening on {}://{}", application.scheme, application.address);
    let (handle, live) = (application.server.handle(), application.live.clone());
    let mut stop = stop_signal();
    tokio::spawn(async move {
        let _ = stop.wait_for(|stop| *stop).await;
        live.stop().await;
        handle.stop(true).await;
    });
    application.server.await.map_err(|error| StartError::Bind(application.address, error))
}

async fn standalone(settings: &Settings) -> Result<(), StartError> {
    let _alone = lock_data(settings)?;
    let application = Application::build(settings).await?;
    let service = application.service.clone();
    let printed = standalone_admin(settings, &service).await?;
    let mut stop = stop_signal();
    let queue = service.queue.clone().ok_or_else(|| StartError::Refused("there is no queue".to_owned()))?;
    let handle = application.server.handle();
    let served = actix_web::rt::spawn(application.server);
    // The certificates are read once it answers: that takes as long as a hundred thousand users do.
    let allow_private = settings.webhooks_allow_private;
    let sender = tokio::task::spawn_blocking(move || Sender::new(SystemResolver, allow_private));
    let sender = sender.await.map_err(|error| StartError::Refused(format!("TLS: {error}")))?;
    let sender = sender.map_err(|error| StartError::Refused(format!("TLS: {error}")))?;
    let context = Context {
        deliverer: Deliverer::new(service.db.clone(), Arc::clone(&application.metrics), sender),
        engine: service.engine.clone(),
        db: service.db.clone(),
        signals: service.signals.clone(),
        queue,
        presence: settings.presence,
        sessions_kept: lastseen_worker::startup::SESSIONS_KEPT,
        history_kept: settings.worker.history_retention,
        metrics: Arc::clone(&application.metrics),
    };
    let worker = tokio::spawn(lastseen_worker::startup::run(context, settings.worker.clone(), stop.clone()));
    log::info!("listening on {}://{}", application.scheme, application.address);
    if let Some(password) = printed {
        let shown = settings.accounts.admin_username.as_str();
        println!("\n  The first admin: {shown}\n  Its password:    {password}\n  (shown this once)\n");
    }
    let live = application.live.clone();
    // The jobs end when they are told to stop, or because something is wrong: without them nothing is swept or written.
    let jobs = tokio::spawn(async move {
        let mut worker = worker;
        let ended = tokio::select! {
            ended = &mut worker => Some(ended),
            _ = stop.wait_for(|stop| *stop) => None,
        };
        // They may have been told, and have ended, before this was.
        let told = *stop.borrow();
        live.stop().await;
        handle.stop(true).await;
        let ended = match ended {
            Some(ended) => ended,
            None => worker.await,
        };
        match ended {
            Ok(Ok(())) if told => Ok(()),
            Ok(Ok(())) => Err(StartError::Refused("the jobs ended".to_owned())),
            Ok(Err(error)) => Err(StartError::Refused(format!("the jobs ended: {error}"))),
            Err(error) => Err(StartError::Refused(format!("the jobs ended: {error}"))),
        }
    });
    let served = served.await.map_err(|error| StartError::Refused(error.to_string()))?;
    let served = served.map_err(|error| StartError::Bind(application.address, error));
    jobs.await.map_err(|error| StartError::Refused(error.to_string()))??;
    if let Engine::Memory(engine) = &service.engine {
        engine.flush().await.map_err(|error| StartError::Refused(error.to_string()))?;
    }
    served
}

/// The stand-alone program's first admin; answers the password where it was made up.
async fn standalone_admin(settings: &Settings, service: &Service) -> Result<Option<String>, StartError> {
    if let Some(admin) = settings.accounts.first_admin.clone() {
        first_admin(service, Some(admin)).await?;
        return Ok(None);
    }
    if any_admin(service).await? {
        return Ok(None);
    }
    let password = random_text(12)?;
    let username = settings.accounts.admin_username.clone();
    first_admin(service, Some(admin_of(username, None, password.clone())?)).await?;
    Ok(Some(password))
}

fn admin_of(username: Username, email: Option<Email>, password: String) -> Result<FirstAdmin, StartError> {
    let refused = |problem: String| StartError::Refused(format!("the password {problem}"));
    let password = Password::choose(password, username.as_str()).map_err(refused)?;
    let no_email = || StartError::Refused("an e-mail address is needed: --email".to_owned());
    let email = email.or_else(|| default_email(&username)).ok_or_else(no_email)?;
    Ok(FirstAdmin { username, email, password })
}

/// Two stand-alone programs on the same files would each hold a half of the truth.
fn lock_data(settings: &Settings) -> Result<std::fs::File, StartError> {
    let folder = settings.data_folder();
    let name = folder.join("lock").display().to_string();
    let failed = |error| StartError::File(name.clone(), error);
    if !folder.as_os_str().is_empty() {
        std::fs::create_dir_all(&folder).map_err(failed)?;
    }
    let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("lock"));
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StartError::Refused(format!(
            "another stand-alone program runs on {}: DATABASE_URL can name other files",
            folder.display()
        ))),
        Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// The database alone, for commands that need no more.
fn database(matches: &ArgMatches) -> Result<Db, StartError> {
    let raw = given(matches);
    let address = match raw.get("DATABASE_URL") {
        Some(url) => Address::parse(url).map_err(|problem| StartError::Refused(format!("DATABASE_URL {problem}")))?,
        None if matches.try_get_one::<bool>("standalone").ok().flatten() == Some(&true) => {
            Address::Sqlite("data/lastseen.db".into())
        }
        None => {
            return Err(StartError::Refused(
                "DATABASE_URL is required, or --standalone for the file in ./data".to_owned(),
            ));
        }
    };
    Db::new(address, 2).map_err(|error| StartError::Refused(format!("DATABASE_URL: {error}")))
}

async fn migrate(matches: &ArgMatches) -> Result<(), StartError> {
    let run = database(matches)?.migrate().await;
    let run = run.map_err(|error| StartError::Refused(format!("DATABASE_URL: {error}")))?;
    if run.is_empty() {
        println!("The database is up to date.");
    } else {
        println!("Migrations run: {}", run.join(", "));
    }
    Ok(())
}

async fn seed_demo(matches: &ArgMatches) -> Result<(), StartError> {
    let users = usize::from(matches.get_one::<u16>("users").copied().unwrap_or(60));
    let db = database(matches)?;
    db.migrate().await.map_err(|error| StartError::Refused(format!("DATABASE_URL: {error}")))?;
    let hasher = Hasher::new(10, 1, 1).map_err(lastseen_shared::refusal::Failure::from)?;
    if !demo::seed(&db, &hasher, users).await? {
        return Err(StartError::Refused("the database has users already: the demo is for an empty one".to_owned()));
    }
    println!("{users} people are there; the password of each is {}.", demo::PASSWORD);
    Ok(())
}

async fn rebuild_statistics(matches: &ArgMatches) -> Result<(), StartError> {
    let refused = |_| StartError::Refused("--from must be a time in RFC 3339".to_owned());
    let from = matches.get_one::<String>("from").map(|text| Timestamp::parse(text).map_err(refused)).transpose()?;
    let db = database(matches)?;
    let failed = |error: DbError| StartError::Refused(format!("DATABASE_URL: {error}"));
    db.migrate().await.map_err(failed)?;
    let rebuilt = db.run(move |connection| rebuild(connection, from, Timestamp::now())).await.map_err(failed)?;
    match rebuilt {
        Some((from, to)) => println!("Statistics are made again from {from} to {to}."),
        None => println!("Nobody has been online yet."),
    }
    Ok(())
}

async fn import_django(matches: &ArgMatches) -> Result<(), StartError> {
    let path = matches.get_one::<String>("file").map(String::as_str).unwrap_or_default();
    let file = std::fs::File::open(path).map_err(|error| StartError::File(path.to_owned(), error))?;
    let db = database(matches)?;
    db.migrate().await.map_err(|error| StartError::Refused(format!("DATABASE_URL: {error}")))?;
    let imported = import::from_django(&db, file, matches.get_flag("skip")).await;
    let imported = imported.map_err(|error| StartError::Refused(format!("{path}: {error}")))?;
    println!("{imported}");
    if imported.refused.is_empty() || matches.get_flag("skip") {
        return Ok(());
    }
    Err(StartError::Refused("nothing was imported: mend these rows, or leave them out with --skip".to_owned()))
}

/// For a container's health check: whether the program that these settings are of answers.
async fn healthcheck(matches: &ArgMatches) -> Result<(), StartError> {
    let raw = given(matches);
    let bind = raw.get("LASTSEEN_BIND").unwrap_or("127.0.0.1:8000");
    let refused = |problem: String| StartError::Refused(format!("LASTSEEN_BIND {problem}"));
    let bind = socket_address(bind).map_err(refused)?;
    let scheme = if raw.get("LASTSEEN_TLS_CERTIFICATE").is_some() { "https" } else { "http" };
    lastseen_worker::healthcheck::ask(scheme, bind).await.map_err(refused)
}

async fn create_admin(matches: &ArgMatches) -> Result<(), StartError> {
    let refused = |name: &str| {
        let name = name.to_owned();
        move |problem: String| StartError::Refused(format!("{name} {problem}"))
    };
    let name = matches.get_one::<String>("name").map(String::as_str).unwrap_or_default();
    let username = Username::parse(name).map_err(refused("the name"))?;
    let email = matches.get_one::<String>("email").map(|text| Email::parse(text).map_err(refused("--email")));
    let raw = given(matches);
    let (password, made_up) = if matches.get_flag("password-stdin") {
        let mut text = String::new();
        let read = std::io::stdin().take(1_000).read_to_string(&mut text);
        read.map_err(|error| StartError::File("standard input".to_owned(), error))?;
        (text.trim_end_matches(['\r', '\n']).to_owned(), false)
    } else {
        match raw.get("LASTSEEN_ADMIN_PASSWORD") {
            Some(password) => (password.to_owned(), false),
            None => (random_text(12)?, true),
        }
    };
    let admin = admin_of(username, email.transpose()?, password.clone())?;
    let db = database(matches)?;
    db.migrate().await.map_err(|error| StartError::Refused(format!("DATABASE_URL: {error}")))?;
    // Presence plays no part in this: an engine that is gone with the process will do.
    let settings = Settings::check(&lastseen_shared::settings::Raw::default(), Form::StandAlone);
    let settings = settings.map_err(|error| StartError::Refused(error.to_string()))?;
    let cost = raw.get("LASTSEEN_BCRYPT_COST").and_then(|cost| cost.parse().ok()).unwrap_or(12).clamp(10, 15);
    let hasher = Hasher::new(cost, 1, 1).map_err(lastseen_shared::refusal::Failure::from)?;
    let engine = Engine::Memory(MemoryEngine::volatile(1, Clock::System));
    let service = Service::new(db, engine, hasher, settings.presence, settings.accounts);
    let account = service.make_admin(admin, true).await?;
    println!("{} is an admin.", account.username);
    if made_up {
        println!("Its password: {password}");
    }
    Ok(())
}

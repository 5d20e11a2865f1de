//! `lastseen-worker`: see `lastseen-worker --help`.

use std::process::ExitCode;

#[actix_web::main]
async fn main() -> ExitCode {
    match lastseen_worker::program::run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lastseen-worker: {error}");
            ExitCode::FAILURE
        }
    }
}

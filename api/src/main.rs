//! `lastseen-api`: see `lastseen-api --help`.

use std::process::ExitCode;

use lastseen_api::programs;

#[actix_web::main]
async fn main() -> ExitCode {
    match programs::run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lastseen-api: {error}");
            ExitCode::FAILURE
        }
    }
}

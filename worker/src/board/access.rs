//! Who may see the board, and from where something may be done on it.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lastseen_shared::account::Password;
use lastseen_shared::models::Account;
use lastseen_shared::refusal::{Code, Failure, Refusal};
use lastseen_shared::service::Service;

/// The admin who asks.
pub(super) async fn admin(service: &Service, request: &HttpRequest) -> Result<Account, Refused> {
    let Some((username, password)) = credentials(request) else {
        return Err(Code::InvalidCredentials.into());
    };
    let address = request.peer_addr().map(|address| address.ip().to_string()).unwrap_or_default();
    Ok(service.admin_by_password(&username, Password::typed(password), &address).await?)
}

fn credentials(request: &HttpRequest) -> Option<(String, String)> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}

/// Refuses what a page of another site has a browser send: it would send the password along. Whoever names no site is no
/// browser.
pub(super) fn same_site(request: &HttpRequest) -> Result<(), Refused> {
    let named = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap_or("").to_owned());
    let host = named("host").unwrap_or_default();
    // The first is not sent over plain HTTP; the second says another host behind some proxies.
    let same = match (named("sec-fetch-site"), named("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => origin.split_once("://").is_some_and(|(_, at)| at == host),
        (None, None) => true,
    };
    if same {
        return Ok(());
    }
    Err(Refused(Refusal::new(Code::Forbidden, "this was sent from another site")))
}

/// A refusal as the API says it; with 401 browsers ask for a name and a password.
#[derive(Debug)]
pub(super) struct Refused(Refusal);

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Self(refusal),
            Failure::Internal(cause) => {
                log::error!("{cause}");
                Self(Refusal::plain(Code::Internal))
            }
        }
    }
}

impl From<Code> for Refused {
    fn from(code: Code) -> Self {
        Self(Refusal::plain(code))
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let mut answer = HttpResponse::build(status);
        answer.content_type("application/problem+json").insert_header((header::CACHE_CONTROL, "no-store"));
        if status == StatusCode::UNAUTHORIZED {
            answer.insert_header((header::WWW_AUTHENTICATE, r#"Basic realm="Lastseen", charset="UTF-8""#));
        }
        if let Some(after) = self.0.retry_after {
            answer.insert_header((header::RETRY_AFTER, after.as_secs().max(1)));
        }
        answer.body(self.0.to_json())
    }
}

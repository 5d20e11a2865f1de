//! Refusals as `application/problem+json` (RFC 9457).

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use lastseen_shared::refusal::{Code, Failure, Refusal};
use utoipa::ToSchema;

// For the document alone: `Refusal::to_json` writes it.
/// The body of every error.
#[derive(Debug, ToSchema)]
pub struct ProblemBody {
    /// The code as a URI.
    #[schema(rename = "type", example = "urn:lastseen:problem:user_not_found")]
    pub kind: String,
    /// The code's title.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A sentence for a person.
    pub detail: String,
    /// A stable word.
    pub code: String,
    /// The field, query parameter or header that is wrong.
    pub field: Option<String>,
}

/// A [`Failure`] on its way to a client.
#[derive(Debug)]
pub struct Problem(pub Failure);

/// What a handler answers.
pub type Answer = Result<HttpResponse, Problem>;

impl<T: Into<Failure>> From<T> for Problem {
    fn from(failure: T) -> Self {
        Self(failure.into())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Problem {
    fn refusal(&self) -> Refusal {
        match &self.0 {
            Failure::Refused(refusal) => refusal.clone(),
            Failure::Internal(_) => Refusal::new(Code::Internal, "The log of the server says more."),
        }
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.refusal().code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        if let Failure::Internal(cause) = &self.0 {
            // Here and nowhere else: a cause is logged once.
            log::error!("{cause}");
        }
        let refusal = self.refusal();
        let mut answer = HttpResponse::build(self.status_code());
        if let Some(after) = refusal.retry_after {
            answer.insert_header((header::RETRY_AFTER, after.as_secs().max(1).to_string()));
        }
        if refusal.code.status() == 401 {
            answer.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        answer.insert_header((header::CACHE_CONTROL, "no-store"));
        answer.content_type("application/problem+json").body(refusal.to_json())
    }
}

//! Who calls. A [`Caller`] in a handler's arguments is the authentication, and the sign of life: where the engine
//! knows the session, it has not been ended and its account is not barred, so nothing else has to be asked.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use lastseen_shared::account::Role;
use lastseen_shared::models::Actor;
use lastseen_shared::presence::engine::Touch;
use lastseen_shared::presence::group::Pulse;
use lastseen_shared::refusal::{Code, Refusal};
use lastseen_shared::service::{Alive, Asker, Claimed, Service};

use super::tokens::{Access, Tokens};
use crate::observe::Sender;
use crate::problem::Problem;

/// Whoever holds a token of ours, of a session that may have ended: for log-out, which is no sign of life.
#[derive(Clone, Copy, Debug)]
pub struct Bearer(pub Access);

/// Whoever is logged in. Its presence has been noted.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// Whose session.
    pub claimed: Claimed,
    /// What it may do.
    pub role: Role,
    /// What the sign of life has brought.
    pub alive: Alive,
}

/// A caller who is an admin.
#[derive(Clone, Copy, Debug)]
pub struct Admin(pub Caller);

type Extracted<T> = Pin<Box<dyn Future<Output = Result<T, Problem>>>>;

fn bearer(request: &HttpRequest) -> Result<Access, Problem> {
    let missing =
        || Refusal::new(Code::TokenInvalid, "send an access token: Authorization: Bearer …").about("Authorization");
    let token = bearer_token(request.headers()).ok_or_else(missing)?;
    let tokens = request.app_data::<web::Data<Tokens>>().ok_or(Code::Internal)?;
    let access = tokens.read(token)?;
    request.extensions_mut().insert(Sender(access.claimed.user));
    Ok(access)
}

/// The token of `Authorization: Bearer …`, where there is one.
#[must_use]
pub fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

impl FromRequest for Bearer {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(bearer(request).map(Self))
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let access = bearer(request);
        let pulse = request.app_data::<Pulse>().cloned();
        let service = request.app_data::<web::Data<Service>>().cloned();
        Box::pin(async move {
            let Access { claimed, role } = access?;
            let (pulse, service) = pulse.zip(service).ok_or(Code::Internal)?;
            let touch = Touch { user: claimed.user, session: claimed.session };
            let beat = pulse.beat(touch).await?;
            let alive = match beat.deadline {
                Some(until) => Alive { last_seen: beat.now, until },
                None => service.revive(claimed, beat.now).await?,
            };
            Ok(Self { claimed, role, alive })
        })
    }
}

impl FromRequest for Admin {
    type Error = Problem;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload);
        Box::pin(async move {
            let caller = caller.await?;
            caller.require_admin()?;
            Ok(Self(caller))
        })
    }
}

impl Caller {
    /// Whether the caller is an admin.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    /// Who is going to look.
    #[must_use]
    pub fn asker(&self, service: &Service) -> Asker {
        service.asker(self.claimed.user, self.role)
    }

    /// Refuses a caller who is no admin.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn require_admin(&self) -> Result<(), Problem> {
        if self.is_admin() { Ok(()) } else { Err(Refusal::new(Code::Forbidden, "this is for admins").into()) }
    }
}

impl Admin {
    /// The admin for the audit log.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn actor(&self, service: &Service) -> Result<Actor, Problem> {
        let account = service.account(self.0.claimed.user).await?;
        Ok(Actor { id: Some(account.id), name: account.username })
    }
}

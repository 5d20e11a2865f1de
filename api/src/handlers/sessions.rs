//! Registering, logging in, refreshing, logging out, and the heartbeat.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use lastseen_shared::account::Password;
use lastseen_shared::privacy::SeenPresence;
use lastseen_shared::service::{Claimed, CreateAccount, Login, Service};
use serde::Deserialize;
use utoipa::ToSchema;

use super::me::duration;
use crate::auth::tokens::{Access, Tokens};
use crate::auth::{Bearer, Caller, client_address};
use crate::body::Body;
use crate::flood::Flood;
use crate::problem::{Answer, ProblemBody};
use crate::shapes::{HeartbeatAnswer, LoginAnswer, MeAnswer, MeShape, Seconds, TokensAnswer};

/// A new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterBody {
    /// 3 to 64 letters, digits, `_`, `.` or `-`.
    username: String,
    /// An e-mail address.
    email: String,
    /// 8 characters at least, 72 bytes at most.
    password: String,
}

/// A log-in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginBody {
    /// Name or address.
    username: String,
    /// The password.
    password: String,
    /// The device's name, for the list of devices.
    device: Option<String>,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshBody {
    /// The refresh token.
    refresh: String,
}

/// A log-out.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogoutBody {
    /// True to end all of one's sessions.
    everywhere: bool,
}

/// A heartbeat's body, which may be absent.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeartbeatBody {
    /// True where the page is being closed or reloaded: without another heartbeat the user is offline after a short
    /// grace, at most 10 seconds.
    leaving: bool,
    /// For how many seconds nobody has touched this device. Past `away_after_seconds` it is away until it says 0.
    idle_seconds: Option<f64>,
}

/// Register an account.
#[utoipa::path(post, path = "/api/users/register/", tag = "sessions", request_body = RegisterBody, responses(
    (status = 201, body = MeAnswer), (status = 403, body = ProblemBody), (status = 409, body = ProblemBody),
    (status = 422, body = ProblemBody), (status = 429, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn register(service: web::Data<Service>, request: HttpRequest, body: Body) -> Answer {
    let RegisterBody { username, email, password } = body.json().await?;
    let create = CreateAccount { username, email, password };
    let account = service.register(create, &client_address(&request)).await?;
    let user = MeShape::of(&account, &SeenPresence::never_seen(account.id, account.standing));
    Ok(HttpResponse::Created().json(MeAnswer { user }))
}

/// Log in. The user is online when this answers.
#[utoipa::path(post, path = "/api/users/login/", tag = "sessions", request_body = LoginBody, responses(
    (status = 200, body = LoginAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 422, body = ProblemBody), (status = 429, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn log_in(
    service: web::Data<Service>,
    tokens: web::Data<Tokens>,
    request: HttpRequest,
    body: Body,
) -> Answer {
    let LoginBody { username, password, device } = body.json().await?;
    let (password, address) = (Password::typed(password), client_address(&request));
    let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let agent = agent.unwrap_or_default().to_owned();
    let logged_in = service.log_in(Login { username, password, device, agent, address }).await?;
    let account = &logged_in.account;
    let timeout = service.timeout_of(account);
    let claimed = Claimed { user: account.id, session: logged_in.session, timeout };
    Ok(HttpResponse::Ok().json(LoginAnswer {
        access: tokens.issue(Access { claimed, role: account.role })?,
        refresh: logged_in.refresh.encode(),
        user: MeShape::of(account, &logged_in.presence),
        heartbeat_interval_seconds: Seconds(service.presence().heartbeat_interval),
        inactivity_timeout_seconds: Seconds(timeout),
        away_after_seconds: Seconds(service.away_after_of(account)),
    }))
}

/// Turn a refresh token into a new pair. Is no sign of life.
#[utoipa::path(post, path = "/api/users/token/refresh/", tag = "sessions", request_body = RefreshBody, responses(
    (status = 200, body = TokensAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 422, body = ProblemBody), (status = 429, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn refresh(service: web::Data<Service>, tokens: web::Data<Tokens>, body: Body) -> Answer {
    let RefreshBody { refresh } = body.json().await?;
    let refreshed = service.refresh(&refresh).await?;
    let timeout = service.timeout_of(&refreshed.account);
    let claimed = Claimed { user: refreshed.account.id, session: refreshed.session, timeout };
    let access = tokens.issue(Access { claimed, role: refreshed.account.role })?;
    Ok(HttpResponse::Ok().json(TokensAnswer { access, refresh: refreshed.token.encode() }))
}

/// Log out, this session or all of one's own. The user is offline at once unless another session is live.
#[utoipa::path(post, path = "/api/users/logout/", tag = "sessions", request_body = Option<LogoutBody>,
    security(("bearer" = [])), responses(
    (status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn log_out(bearer: Bearer, service: web::Data<Service>, body: Body) -> Answer {
    let Claimed { user, session, .. } = bearer.0.claimed;
    let LogoutBody { everywhere } = body.json_or_nothing().await?;
    if everywhere {
        service.log_out_everywhere(user, session).await?;
    } else {
        service.log_out(user, session).await?;
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Say that one is still here.
#[utoipa::path(post, path = "/api/users/heartbeat/", tag = "sessions", request_body = Option<HeartbeatBody>,
    security(("bearer" = [])), responses(
    (status = 200, body = HeartbeatAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 422, body = ProblemBody), (status = 429, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn heartbeat(caller: Caller, service: web::Data<Service>, flood: web::Data<Flood>, body: Body) -> Answer {
    flood.take(caller.claimed.session)?;
    let HeartbeatBody { leaving, idle_seconds } = body.json_or_nothing().await?;
    let mut alive = caller.alive;
    if let Some(idle) = duration("idle_seconds", idle_seconds)? {
        service.report_idle(caller.claimed, idle).await?;
    }
    if leaving {
        alive = service.leave(caller.claimed, alive).await?;
    }
    Ok(HttpResponse::Ok().json(HeartbeatAnswer::of(&alive)))
}

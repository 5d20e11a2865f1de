//! Heartbeats come first. They are most of all requests, so one that asks for nothing but the engine is answered before
//! anything of the application is: no route is looked for, no middleware asked. Every other request goes on to the
//! application, and so does a heartbeat that is special in any way: with a body, from an origin that CORS knows, with a
//! token that is not good, of a session that is not known to be live.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use actix_http::body::{BoxBody, EitherBody, MessageBody};
use actix_http::{HttpMessage, Request, Response};
use actix_service::{Service, ServiceFactory};
use actix_web::dev::{ServiceResponse, always_ready};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{ResponseError, web};
use lastseen_shared::presence::engine::Touch;
use lastseen_shared::presence::group::Pulse;
use lastseen_shared::service::Alive;
use lastseen_shared::telemetry::{Metrics, Way};

use crate::auth::bearer_token;
use crate::auth::tokens::{Access, Tokens};
use crate::flood::Flood;
use crate::observe::{REQUEST_ID, REQUESTS, given_id};
use crate::problem::Problem;
use crate::shapes::HeartbeatAnswer;

/// What a thread's heartbeats need.
pub struct Heartbeats {
    /// Reads their tokens.
    pub tokens: web::Data<Tokens>,
    /// Takes them to the engine.
    pub pulse: Pulse,
    /// Refuses those who send too many.
    pub flood: web::Data<Flood>,
    /// The process's metrics.
    pub metrics: web::Data<Metrics>,
    /// What every answer has.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Origins whose pages are to be told that they may read the answer.
    pub origins: Vec<String>,
}

impl Heartbeats {
    /// Who sends a plain heartbeat; `None` for every other request.
    fn sender(&self, request: &Request) -> Option<Access> {
        let headers = request.headers();
        let is_heartbeat = matches!(request.path(), "/api/users/heartbeat/" | "/api/users/heartbeat");
        if !is_heartbeat || request.method() != Method::POST || headers.contains_key(header::TRANSFER_ENCODING) {
            return None;
        }
        if headers.get(header::CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0") {
            return None;
        }
        if let Some(origin) = headers.get(header::ORIGIN)
            && self.origins.iter().any(|known| known.as_bytes() == origin.as_bytes())
        {
            return None;
        }
        self.tokens.read(bearer_token(headers)?).ok()
    }

    /// The answer to a heartbeat, or `None` where the engine does not know the session to be live.
    async fn answer(&self, sender: Access) -> Option<Response<BoxBody>> {
        let claimed = sender.claimed;
        let touch = Touch { user: claimed.user, session: claimed.session };
        let beat = match self.flood.take(claimed.session) {
            Ok(()) => self.pulse.beat(touch).await.map_err(Problem::from),
            Err(refused) => Err(refused.into()),
        };
        let mut answer = match beat {
            Ok(beat) => plain(&HeartbeatAnswer::of(&Alive { last_seen: beat.now, until: beat.deadline? })),
            // Not to be asked again by the application.
            Err(problem) => problem.error_response().into(),
        };
        for (name, value) in &self.headers {
            answer.headers_mut().insert(name.clone(), value.clone());
        }
        self.metrics.count_answer(answer.status().as_u16(), Some(Way::Fast));
        Some(answer)
    }
}

fn plain(answer: &HeartbeatAnswer) -> Response<BoxBody> {
    match serde_json::to_string(answer) {
        Ok(text) => {
            let mut response = Response::with_body(StatusCode::OK, BoxBody::new(text));
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
            response
        }
        Err(error) => actix_web::Error::from(error).error_response().into(),
    }
}

/// An application, and the heartbeats before it.
pub struct First<F> {
    /// They come first.
    pub heartbeats: Rc<Heartbeats>,
    /// It has the rest.
    pub application: F,
}

/// [`First`] at work.
pub struct FirstService<S> {
    heartbeats: Rc<Heartbeats>,
    application: Rc<S>,
}

type Local<T> = Pin<Box<dyn Future<Output = T>>>;

impl<F, B> ServiceFactory<Request> for First<F>
where
    F: ServiceFactory<Request, Response = ServiceResponse<B>>,
    F::Service: 'static,
    F::Future: 'static,
    B: MessageBody,
{
    type Response = Response<EitherBody<B>>;
    type Error = F::Error;
    type Config = F::Config;
    type Service = FirstService<F::Service>;
    type InitError = F::InitError;
    type Future = Local<Result<Self::Service, Self::InitError>>;

    fn new_service(&self, config: Self::Config) -> Self::Future {
        let (heartbeats, application) = (Rc::clone(&self.heartbeats), self.application.new_service(config));
        Box::pin(async move { Ok(FirstService { heartbeats, application: Rc::new(application.await?) }) })
    }
}

impl<S, B> Service<Request> for FirstService<S>
where
    S: Service<Request, Response = ServiceResponse<B>> + 'static,
    B: MessageBody,
{
    type Response = Response<EitherBody<B>>;
    type Error = S::Error;
    type Future = Local<Result<Self::Response, Self::Error>>;

    always_ready!();

    fn call(&self, request: Request) -> Self::Future {
        let application = Rc::clone(&self.application);
        let Some(sender) = self.heartbeats.sender(&request) else {
            let answer = application.call(request);
            return Box::pin(async move { Ok(of_application(answer.await?)) });
        };
        let heartbeats = Rc::clone(&self.heartbeats);
        Box::pin(async move {
            let id = given_id(request.headers());
            match heartbeats.answer(sender).await {
                Some(mut answer) => {
                    log::debug!(target: REQUESTS, "a heartbeat of user {}: {}", sender.claimed.user, answer.status());
                    // A heartbeat that has no id is given none: nothing else is said of it.
                    if let Some(id) = id {
                        answer.headers_mut().insert(REQUEST_ID, id);
                    }
                    Ok(answer.map_body(|_, body| EitherBody::right(body)))
                }
                None => Ok(of_application(application.call(request).await?)),
            }
        })
    }
}

fn of_application<B: MessageBody>(answer: ServiceResponse<B>) -> Response<EitherBody<B>> {
    Response::from(answer).map_body(|_, body| EitherBody::left(body))
}

//! The door to the sockets. A handshake does not go through the routes: after it the connection belongs to its socket
//! alone, and what HTTP had for it, buffers first of all, is freed.

use actix_codec::Framed;
use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_http::h1;
use actix_http::ws::{HandshakeError, handshake_response, verify_handshake};
use actix_http::{ConnectionType, HttpMessage, Request, Response};
use actix_web::http::header::HeaderMap;
use actix_web::http::{StatusCode, header};
use actix_web::{ResponseError, web};
use futures_util::SinkExt;
use lastseen_shared::presence::group::Pulse;
use lastseen_shared::refusal::{Code, Refusal};
use lastseen_shared::service::Service;
use lastseen_shared::telemetry::{End as EndLabel, Metrics};

use super::Live;
use super::socket::{Socket, close, upgrade_required};
use super::wire::Wire;
use crate::auth::tokens::Tokens;
use crate::observe::{Line, NO_ROUTE, REQUEST_ID, given_id, log_request, made_up_id, method_word};
use crate::problem::Problem;
use crate::tls::Io;

/// Where sockets are opened.
const PATH: &str = "/api/ws";

/// A thread's door.
#[derive(Clone)]
pub struct Door {
    /// What keeps the sockets told.
    pub live: web::Data<Live>,
    /// What frames call.
    pub service: web::Data<Service>,
    /// What reads tokens.
    pub tokens: web::Data<Tokens>,
    /// The thread's heartbeats.
    pub pulse: Pulse,
    /// The process's metrics.
    pub metrics: web::Data<Metrics>,
}

impl Door {
    /// Answers a handshake. The socket lives on in a task of its own.
    ///
    /// # Errors
    /// Where the client is gone.
    pub async fn open(self, request: Request, mut connection: Framed<Io, h1::Codec>) -> Result<(), actix_web::Error> {
        let id = given_id(request.headers()).unwrap_or_else(made_up_id);
        let method = method_word(request.method());
        let route = if request.path().trim_end_matches('/') == PATH { PATH } else { NO_ROUTE };
        let log = |status: StatusCode| {
            log_request(&Line { id: &id, method, route, status: status.as_u16(), took_ms: 0.0, user: None });
        };
        match self.answer(&request) {
            Ok(mut answer) => {
                log(answer.status());
                self.metrics.count_answer(answer.status().as_u16(), None);
                answer.headers_mut().insert(REQUEST_ID, id);
                connection.send(h1::Message::Item((answer, BodySize::None))).await?;
                let token = offered(request.headers()).token;
                let parts = connection.into_parts();
                let mut wire = Wire::new(parts.io, &parts.read_buf);
                actix_web::rt::spawn(async move {
                    self.metrics.sockets.inc();
                    let socket = Socket::new(self.live, self.service, self.tokens, self.pulse);
                    let (end, mailbox) = socket.live(&mut wire, token).await;
                    self.metrics.sockets.dec();
                    self.metrics.socket_ends.get_or_create(&EndLabel { why: end.word() }).inc();
                    log::debug!("a socket ends: {end:?}");
                    Box::pin(close(wire, end, mailbox)).await;
                });
            }
            Err(refusal) => {
                let answer: Response<BoxBody> = Problem::from(refusal).error_response().into();
                let mut answer = answer.map_body(|_, body| body.try_into_bytes().unwrap_or_default());
                self.metrics.count_answer(answer.status().as_u16(), None);
                log(answer.status());
                answer.headers_mut().insert(REQUEST_ID, id);
                if answer.status() == StatusCode::METHOD_NOT_ALLOWED {
                    answer.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET"));
                }
                answer.head_mut().set_connection_type(ConnectionType::Close);
                h1::SendResponse::new(connection, answer).await?;
            }
        }
        Ok(())
    }

    fn answer(&self, request: &Request) -> Result<Response<()>, Refusal> {
        if request.path().trim_end_matches('/') != PATH {
            return Err(Refusal::new(Code::NotFound, format!("sockets are opened at {PATH}/")));
        }
        match verify_handshake(request.head()) {
            Err(HandshakeError::GetMethodRequired) => {
                return Err(Refusal::new(Code::MethodNotAllowed, "this path knows GET"));
            }
            Err(_) => return Err(upgrade_required()),
            Ok(()) if self.live.hub.is_stopping() => return Err(Refusal::new(Code::Overloaded, "the server stops")),
            Ok(()) => {}
        }
        let mut answer = handshake_response(request.head());
        if offered(request.headers()).bearer {
            answer.insert_header((header::SEC_WEBSOCKET_PROTOCOL, "bearer"));
        }
        Ok(answer.finish().drop_body())
    }
}

/// What stands among the subprotocols.
struct Offered {
    bearer: bool,
    /// What comes after it.
    token: Option<String>,
}

fn offered(headers: &HeaderMap) -> Offered {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let words: Vec<&str> =
        values.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(',')).map(str::trim).collect();
    let place = words.iter().position(|word| *word == "bearer");
    let token = place.and_then(|place| words.get(place + 1)).map(|token| (*token).to_owned());
    Offered { bearer: place.is_some(), token }
}

//! One socket's life: authentication, signs of life, frames, its end.

use std::time::{Duration, Instant};

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, ProtocolError, Session};
use futures_util::StreamExt;
use lastseen_shared::presence::cursor::Place;
use lastseen_shared::presence::engine::Touch;
use lastseen_shared::presence::group::Pulse;
use lastseen_shared::refusal::{Code, Failure, Refusal};
use lastseen_shared::service::{Claimed, Service};
use lastseen_shared::telemetry::{End as EndLabel, Metrics};
use lastseen_shared::timestamp::Timestamp;
use tokio::time::{sleep_until, timeout};

use super::Live;
use super::frames::{End, FromClient, ToClient};
use super::hub::{Mailbox, NotRegistered};
use super::limits::{Frames, TypingPace};
use super::telling::Teller;
use super::timers::{Timers, note, random_part, tell_waiting};
use crate::auth::tokens::{Access, Tokens};
use crate::handlers::me::AvailabilityBody;
use crate::problem::{Problem, ProblemBody};
use crate::shapes::Seconds;

/// How long a client may take to send its token.
const TOKEN_WITHIN: Duration = Duration::from_secs(5);
/// The longest frame, and the longest message of several: a thousand ids and some room.
const LONGEST: usize = 64 * 1024;
/// How often to look whether the hub has come as far as the engine, and how many times.
const HUB_FOLLOWS: Duration = Duration::from_millis(5);
const HUB_LOOKS: usize = 200;
/// How long a close frame may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// And to a client that has not read what came before it.
const CLOSE_SLOW_WITHIN: Duration = Duration::from_secs(30);
/// Pings without an answer, before the client counts as gone.
const UNANSWERED: u32 = 2;
/// Presence as it changes, over a WebSocket.
///
/// The token comes in the subprotocol (`Sec-WebSocket-Protocol: bearer, TOKEN`) or in the first frame, never in the
/// address. docs/LIVE.md has the frames.
#[utoipa::path(get, path = "/api/ws/", tag = "live", params(
    ("Sec-WebSocket-Protocol" = Option<String>, Header, description = "`bearer, TOKEN`")), responses(
    (status = 101, description = "A WebSocket: frames are JSON objects with a `type`"),
    (status = 426, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn open(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let live = request.app_data::<web::Data<Live>>().cloned().ok_or(Code::Internal)?;
    let service = request.app_data::<web::Data<Service>>().cloned().ok_or(Code::Internal)?;
    let tokens = request.app_data::<web::Data<Tokens>>().cloned().ok_or(Code::Internal)?;
    let pulse = request.app_data::<Pulse>().cloned().ok_or(Code::Internal)?;
    if live.hub.is_stopping() {
        return Err(Refusal::new(Code::Overloaded, "the server stops").into());
    }
    let token = offered_token(&request);
    let opened = actix_ws::handle_with_protocols(&request, payload, &["bearer"]);
    let (response, session, stream) =
        opened.map_err(|_| Refusal::new(Code::UpgradeRequired, "open a WebSocket here (RFC 6455, version 13)"))?;
    let stream = stream.max_frame_size(LONGEST).aggregate_continuations().max_continuation_size(LONGEST);
    let socket = Socket {
        live,
        service: service.get_ref().clone(),
        tokens,
        pulse,
        session: session.clone(),
        stream,
        frames: Frames::new(service.accounts().rate_limits, Instant::now()),
        typing: TypingPace::default(),
    };
    let metrics = request.app_data::<web::Data<Metrics>>().cloned().ok_or(Code::Internal)?;
    actix_web::rt::spawn(async move {
        metrics.sockets.inc();
        let end = socket.live(token).await;
        metrics.sockets.dec();
        metrics.socket_ends.get_or_create(&EndLabel { why: end.word() }).inc();
        log::debug!("a socket ends: {end:?}");
        // Behind what the client has not read yet, so it may take its time. The connection ends all the same.
        let within = if end == End::Slow { CLOSE_SLOW_WITHIN } else { CLOSE_WITHIN };
        let _ = timeout(within, session.close(Some(end.reason()))).await;
    });
    Ok(response)
}

/// The token beside `bearer` among the subprotocols.
fn offered_token(request: &HttpRequest) -> Option<String> {
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let words: Vec<&str> =
        offered.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(',')).map(str::trim).collect();
    let bearer = words.iter().position(|word| *word == "bearer")?;
    words.get(bearer + 1).map(|token| (*token).to_owned())
}

struct Socket {
    live: web::Data<Live>,
    service: Service,
    tokens: web::Data<Tokens>,
    pulse: Pulse,
    session: Session,
    stream: AggregatedMessageStream,
    frames: Frames,
    typing: TypingPace,
}

impl Socket {
    /// Lives until the end.
    async fn live(mut self, token: Option<String>) -> End {
        let accepted = match token {
            Some(token) => self.accept(&token),
            None => match timeout(TOKEN_WITHIN, self.await_token()).await {
                Ok(accepted) => accepted,
                Err(_) => Err(End::Token(Code::TokenInvalid)),
            },
        };
        match accepted {
            Ok((access, expires)) => match self.talk(access, expires).await {
                Ok(never) => match never {},
                Err(end) => end,
            },
            Err(end) => end,
        }
    }

    fn accept(&self, token: &str) -> Result<(Access, Instant), End> {
        let (access, expires) = self.tokens.read_with_end(token).map_err(End::Token)?;
        let left = expires.0.saturating_sub(Timestamp::now().0).max(0);
        Ok((access, Instant::now() + Duration::from_millis(left.unsigned_abs())))
    }

    /// The first frame has to be the token.
    async fn await_token(&mut self) -> Result<(Access, Instant), End> {
        loop {
            match self.receive().await? {
                AggregatedMessage::Text(text) => {
                    return match serde_json::from_str(&text) {
                        Ok(FromClient::Auth { token }) => self.accept(&token),
                        _ => Err(End::Token(Code::TokenInvalid)),
                    };
                }
                AggregatedMessage::Ping(text) => self.session.pong(&text).await.map_err(|_| End::Gone)?,
                AggregatedMessage::Pong(_) => {}
                AggregatedMessage::Binary(_) => return Err(End::Binary),
                AggregatedMessage::Close(_) => return Err(End::Gone),
            }
        }
    }

    /// The next message that is allowed.
    async fn receive(&mut self) -> Result<AggregatedMessage, End> {
        let message = match self.stream.next().await {
            None => return Err(End::Gone),
            Some(Ok(message)) => message,
            Some(Err(ProtocolError::Overflow)) => return Err(End::TooLong),
            Some(Err(ProtocolError::Io(error))) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Err(End::NotText);
            }
            Some(Err(ProtocolError::Io(error))) if error.to_string().contains("continuation size") => {
                return Err(End::TooLong);
            }
            Some(Err(ProtocolError::Io(_))) => return Err(End::Gone),
            Some(Err(_)) => return Err(End::Protocol),
        };
        if self.frames.admit(Instant::now()) { Ok(message) } else { Err(End::Flood) }
    }

    /// From the token's acceptance to the end.
    async fn talk(&mut self, access: Access, expires: Instant) -> Result<std::convert::Infallible, End> {
        self.beat(access.claimed).await?;
        let user = access.claimed.user;
        let mut mailbox = self.live.hub.register(user).map_err(|refused| match refused {
            NotRegistered::Stopping => End::Stopping,
            NotRegistered::TooMany => End::Flood,
        })?;
        let asker = self.service.asker(user, access.role);
        let viewer = match self.service.viewer(asker).await {
            Ok(viewer) => viewer,
            Err(Failure::Refused(refusal)) => return Err(End::of(&refusal).unwrap_or(End::Unavailable)),
            Err(Failure::Internal(cause)) => {
                log::error!("a socket ends: {cause}");
                return Err(End::Internal);
            }
        };
        let hub = std::sync::Arc::clone(&self.live.hub);
        let mut teller = Teller::new(self.service.clone(), hub, &mailbox, self.session.clone(), (asker, viewer));
        let interval = self.service.presence().heartbeat_interval;
        // Not all at once after a restart.
        let ping = Instant::now() + interval.mul_f64(random_part());
        let mut timers = Timers { expires, ping, unanswered: 0, look: None, farewell: None };
        self.ready(&mut teller, access.claimed).await?;
        loop {
            // What is there is told first, then the next part of everybody, then the client is heard.
            tokio::select! {
                biased;
                item = mailbox.items.recv() => {
                    let item = item.ok_or(End::Slow)?;
                    note(&item, access.claimed, &mut timers);
                    teller.tell(&item).await?;
                }
                message = self.receive() => self.message(message?, access, &mut teller, &mut mailbox, &mut timers).await?,
                () = sleep_until(timers.next(teller.again).into()) => {
                    self.due(access.claimed, &mut teller, &mut timers, interval).await?;
                }
                () = std::future::ready(()), if teller.is_walking() => teller.walk_on().await?,
            }
        }
    }

    async fn ready(&self, teller: &mut Teller, claimed: Claimed) -> Result<(), End> {
        let frame = ToClient::Ready {
            user_id: claimed.user.0,
            session_id: claimed.session.0,
            heartbeat_interval_seconds: Seconds(self.service.presence().heartbeat_interval),
            away_after_seconds: Seconds(self.service.presence().away_after),
        };
        teller.send(&frame).await
    }

    /// A sign of life.
    async fn beat(&self, claimed: Claimed) -> Result<(), End> {
        let touch = Touch { user: claimed.user, session: claimed.session, timeout: claimed.timeout };
        let revived = match self.pulse.beat(touch).await {
            Ok(beat) if beat.deadline.is_some() => return Ok(()),
            Ok(beat) => self.service.revive(claimed, beat.now).await,
            // The engine is away: the next ping finds it.
            Err(_) => return Ok(()),
        };
        match revived {
            Err(Failure::Refused(refusal)) => End::of(&refusal).map_or(Ok(()), Err),
            Err(Failure::Internal(cause)) => {
                log::error!("a socket's sign of life: {cause}");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    async fn message(
        &mut self,
        message: AggregatedMessage,
        access: Access,
        teller: &mut Teller,
        mailbox: &mut Mailbox,
        timers: &mut Timers,
    ) -> Result<(), End> {
        match message {
            AggregatedMessage::Text(text) => {
                self.beat(access.claimed).await?;
                match serde_json::from_str(&text) {
                    Ok(frame) => self.frame(frame, access, teller, mailbox, timers).await,
                    Err(error) => teller.refuse(&Refusal::new(Code::InvalidFrame, error.to_string())).await,
                }
            }
            AggregatedMessage::Ping(text) => {
                self.beat(access.claimed).await?;
                teller.pong(&text).await
            }
            AggregatedMessage::Pong(_) => {
                timers.unanswered = 0;
                self.beat(access.claimed).await
            }
            AggregatedMessage::Binary(_) => Err(End::Binary),
            AggregatedMessage::Close(_) => Err(End::Gone),
        }
    }

    async fn frame(
        &mut self,
        frame: FromClient,
        access: Access,
        teller: &mut Teller,
        mailbox: &mut Mailbox,
        timers: &mut Timers,
    ) -> Result<(), End> {
        let claimed = access.claimed;
        let done = match frame {
            FromClient::Auth { token } => {
                let (fresh, expires) = self.accept(&token)?;
                let same = fresh.claimed.user == claimed.user && fresh.claimed.session == claimed.session;
                if !same || fresh.role != access.role {
                    return Err(End::Token(Code::TokenInvalid));
                }
                timers.expires = expires;
                self.ready(teller, claimed).await?;
                // In case an entry that should have said so was never written.
                let cursor = teller.cursor();
                tell_waiting(claimed, teller, mailbox, timers).await?;
                return teller.relations_anew(None, &cursor).await.map(drop);
            }
            FromClient::Subscribe(wanted) => {
                let Some(answer) = teller.subscribe(wanted).await? else { return Ok(()) };
                tell_waiting(claimed, teller, mailbox, timers).await?;
                let Some(up_to) = teller.answer(&answer).await? else { return Ok(()) };
                let cursor = self.hub_follows(&up_to).await;
                tell_waiting(claimed, teller, mailbox, timers).await?;
                return teller.caught_up(&answer, &cursor).await;
            }
            FromClient::Unsubscribe(unwanted) => {
                teller.unsubscribe(unwanted);
                return Ok(());
            }
            FromClient::Typing { to } => {
                let to = lastseen_shared::ids::UserId(to);
                if !self.typing.admit(to, Instant::now()) {
                    return Ok(());
                }
                self.service.typing(&teller.viewer, to).await
            }
            FromClient::Availability(fields) => {
                match serde_json::from_value::<AvailabilityBody>(serde_json::Value::Object(fields)) {
                    Ok(body) => self.service.set_availability(claimed.user, body.into()).await.map(drop),
                    Err(error) => Err(Refusal::new(Code::InvalidFrame, error.to_string()).into()),
                }
            }
            FromClient::Heartbeat { idle_seconds: None } => Ok(()),
            FromClient::Heartbeat { idle_seconds: Some(seconds) } => match Duration::try_from_secs_f64(seconds) {
                Ok(idle) => self.service.report_idle(claimed, idle).await,
                Err(_) => Err(Refusal::field("idle_seconds", "must be a number of seconds").into()),
            },
        };
        match done {
            Ok(()) => Ok(()),
            Err(Failure::Refused(refusal)) => match End::of(&refusal) {
                Some(end) => Err(end),
                None => teller.refuse(&refusal).await,
            },
            Err(Failure::Internal(cause)) => {
                log::error!("a frame failed: {cause}");
                teller.refuse(&Refusal::plain(Code::Internal)).await
            }
        }
    }

    /// Waits until the hub has come as far as what was told, which the engine has. Where that takes long, a cursor that is
    /// behind has to do: whoever resumes by it is told some of it again.
    async fn hub_follows(&self, up_to: &[Place]) -> String {
        for _ in 0..HUB_LOOKS {
            if let Some(cursor) = self.live.hub.cursor_from(up_to) {
                return cursor;
            }
            tokio::time::sleep(HUB_FOLLOWS).await;
        }
        self.live.hub.cursor()
    }

    /// Does what is due.
    async fn due(
        &self,
        claimed: Claimed,
        teller: &mut Teller,
        timers: &mut Timers,
        interval: Duration,
    ) -> Result<(), End> {
        let now = Instant::now();
        if now >= timers.expires {
            return Err(End::Token(Code::TokenExpired));
        }
        if timers.farewell.is_some_and(|at| now >= at) {
            return Err(End::Stopping);
        }
        if let Some((look, _)) = timers.look.filter(|(_, at)| now >= *at) {
            timers.look = super::timers::LOOKS.get(look + 1).map(|pause| (look + 1, now + *pause));
            if let Err(Failure::Refused(refusal)) = self.service.still_in(claimed).await
                && let Some(end) = End::of(&refusal)
            {
                return Err(end);
            }
        }
        if now >= timers.ping {
            if timers.unanswered >= UNANSWERED {
                return Err(End::Gone);
            }
            timers.unanswered += 1;
            timers.ping = now + interval;
            teller.ping().await?;
        }
        if teller.again.is_some_and(|at| now >= at) {
            teller.look_again().await?;
        }
        Ok(())
    }
}

//! One socket's life: authentication, signs of life, frames, its end.

use std::time::{Duration, Instant};

use actix_web::web;
use lastseen_shared::presence::cursor::Place;
use lastseen_shared::presence::engine::Touch;
use lastseen_shared::presence::group::Pulse;
use lastseen_shared::refusal::{Code, Failure, Refusal};
use lastseen_shared::service::{Claimed, Service};
use lastseen_shared::timestamp::Timestamp;
use tokio::time::{sleep_until, timeout};

use super::Live;
use super::frames::{End, FromClient, ToClient};
use super::hub::{Mailbox, NotRegistered};
use super::limits::{Frames, TypingPace};
use super::telling::Teller;
use super::timers::{Timers, note, random_part, tell_waiting};
use super::wire::{self, Received, Wire};
use crate::auth::tokens::{Access, Tokens};
use crate::handlers::me::AvailabilityBody;
use crate::problem::{Answer, ProblemBody};
use crate::shapes::Seconds;

/// How long a client may take to send its token.
const TOKEN_WITHIN: Duration = Duration::from_secs(5);
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
pub async fn open() -> Answer {
    // A handshake goes to the door, and does not come here.
    Err(upgrade_required().into())
}

/// What is to be done here.
#[must_use]
pub fn upgrade_required() -> Refusal {
    Refusal::new(Code::UpgradeRequired, "open a WebSocket here (RFC 6455, version 13)")
}

/// A socket's own part of what it works with.
pub struct Socket {
    live: web::Data<Live>,
    service: web::Data<Service>,
    tokens: web::Data<Tokens>,
    pulse: Pulse,
    frames: Frames,
    typing: TypingPace,
}

/// Tells the client why its socket ends, as far as that can be, and ends the connection. Until it was told its `mailbox`
/// is registered: a server that stops waits for it.
pub async fn close(mut wire: Wire, end: End, mailbox: Option<Mailbox>) {
    // Behind what the client has not read yet, so it may take its time. The connection ends all the same.
    let within = if end == End::Slow { CLOSE_SLOW_WITHIN } else { CLOSE_WITHIN };
    let told = timeout(within, wire.say_end(end)).await;
    drop(mailbox);
    if let Ok(Ok(())) = told {
        wire.hang_up().await;
    }
}

impl Socket {
    /// A socket that nothing has come from yet.
    #[must_use]
    pub fn new(live: web::Data<Live>, service: web::Data<Service>, tokens: web::Data<Tokens>, pulse: Pulse) -> Self {
        let frames = Frames::new(service.accounts().rate_limits, Instant::now());
        Self { live, service, tokens, pulse, frames, typing: TypingPace::default() }
    }

    /// Lives until the end, which the client has still to be told, by [`close`].
    pub async fn live(mut self, wire: &mut Wire, token: Option<String>) -> (End, Option<Mailbox>) {
        let accepted = match token {
            Some(token) => self.accept(&token),
            None => match Box::pin(timeout(TOKEN_WITHIN, self.await_token(wire))).await {
                Ok(accepted) => accepted,
                Err(_) => Err(End::Token(Code::TokenInvalid)),
            },
        };
        // Registered until the end was told: a server that stops waits for it.
        let mut mailbox = None;
        let end = match accepted {
            Ok((access, expires)) => match self.talk(wire, &mut mailbox, access, expires).await {
                Ok(never) => match never {},
                Err(end) => end,
            },
            Err(end) => end,
        };
        (end, mailbox)
    }

    fn accept(&self, token: &str) -> Result<(Access, Instant), End> {
        let (access, expires) = self.tokens.read_with_end(token).map_err(End::Token)?;
        let left = expires.0.saturating_sub(Timestamp::now().0).max(0);
        Ok((access, Instant::now() + Duration::from_millis(left.unsigned_abs())))
    }

    /// The first frame has to be the token.
    async fn await_token(&mut self, wire: &mut Wire) -> Result<(Access, Instant), End> {
        loop {
            match self.receive(wire).await? {
                Received::Text(text) => {
                    return match serde_json::from_str(&text) {
                        Ok(FromClient::Auth { token }) => self.accept(&token),
                        _ => Err(End::Token(Code::TokenInvalid)),
                    };
                }
                // Nothing else is sent before the token, so there is room for a few.
                Received::Ping(text) => wire.send(wire::pong(text)?).map(drop)?,
                Received::Pong => {}
                Received::Close => return Err(End::Gone),
            }
        }
    }

    /// The next message that is allowed.
    async fn receive(&mut self, wire: &mut Wire) -> Result<Received, End> {
        let message = wire.receive().await?;
        if self.frames.admit(Instant::now()) { Ok(message) } else { Err(End::Flood) }
    }

    /// From the token's acceptance to the end.
    ///
    /// What comes seldom has its state in a box: the task is as large as the largest of what it may wait for, and an idle
    /// socket waits for a frame, an entry or a moment alone.
    async fn talk(
        &mut self,
        wire: &mut Wire,
        place: &mut Option<Mailbox>,
        access: Access,
        expires: Instant,
    ) -> Result<std::convert::Infallible, End> {
        Box::pin(self.beat(access.claimed)).await?;
        let user = access.claimed.user;
        let mailbox = self.live.hub.register(user).map_err(|refused| match refused {
            NotRegistered::Stopping => End::Stopping,
            NotRegistered::TooMany => End::Flood,
        })?;
        let mailbox = &*place.insert(mailbox);
        let asker = self.service.asker(user, access.role);
        let viewer = match Box::pin(self.service.viewer(asker)).await {
            Ok(viewer) => viewer,
            Err(Failure::Refused(refusal)) => return Err(End::of(&refusal).unwrap_or(End::Unavailable)),
            Err(Failure::Internal(cause)) => {
                log::error!("a socket ends: {cause}");
                return Err(End::Internal);
            }
        };
        let hub = std::sync::Arc::clone(&self.live.hub);
        let mut teller = Teller::new(self.service.clone(), hub, mailbox, wire, (asker, viewer));
        let interval = self.service.presence().heartbeat_interval;
        // Not all at once after a restart.
        let ping = Instant::now() + interval.mul_f64(random_part());
        let mut timers = Timers { expires, ping, unanswered: 0, look: None, farewell: None };
        self.ready(&mut teller, access.claimed).await?;
        loop {
            // What is there is told first, then the next part of everybody, then the client is heard.
            tokio::select! {
                biased;
                item = mailbox.waiting.next() => {
                    let item = item.ok_or(End::Slow)?;
                    note(&item, access.claimed, &mut timers);
                    teller.tell(&item).await?;
                }
                message = self.receive(teller.wire) => {
                    Box::pin(self.message(message?, access, &mut teller, mailbox, &mut timers)).await?;
                }
                () = sleep_until(timers.next(teller.again).into()) => {
                    Box::pin(self.due(access.claimed, &mut teller, &mut timers, interval)).await?;
                }
                () = std::future::ready(()), if teller.is_walking() => Box::pin(teller.walk_on()).await?,
            }
        }
    }

    async fn ready(&self, teller: &mut Teller<'_>, claimed: Claimed) -> Result<(), End> {
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
        let touch = Touch { user: claimed.user, session: claimed.session };
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
        message: Received,
        access: Access,
        teller: &mut Teller<'_>,
        mailbox: &Mailbox,
        timers: &mut Timers,
    ) -> Result<(), End> {
        match message {
            Received::Text(text) => {
                self.beat(access.claimed).await?;
                match serde_json::from_str(&text) {
                    Ok(frame) => self.frame(frame, access, teller, mailbox, timers).await,
                    Err(error) => teller.refuse(&Refusal::new(Code::InvalidFrame, error.to_string())).await,
                }
            }
            Received::Ping(text) => {
                self.beat(access.claimed).await?;
                teller.hand_over(wire::pong(text)?).await
            }
            Received::Pong => {
                timers.unanswered = 0;
                self.beat(access.claimed).await
            }
            Received::Close => Err(End::Gone),
        }
    }

    async fn frame(
        &mut self,
        frame: FromClient,
        access: Access,
        teller: &mut Teller<'_>,
        mailbox: &Mailbox,
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
        teller: &mut Teller<'_>,
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
            teller.hand_over(wire::ping()?).await?;
        }
        if teller.again.is_some_and(|at| now >= at) {
            teller.look_again().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<A, B, C, F: Future>(_: impl FnOnce(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_socket_is_a_small_task() {
        let size = size(Socket::live);
        assert!(size <= 2_048, "{size} bytes: what is seldom waited for belongs into a box");
    }
}

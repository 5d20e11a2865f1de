//! The transitions: made through Redis, as another replica's log-ins and log-outs would come; or, where the engine is in
//! the API's own memory, by heartbeats over HTTP that say that a session is leaving, which is over ten seconds later.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::try_join_all;
use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::availability::Profile;
use lastseen_shared::presence::engine::{Connect, Connected};
use lastseen_shared::presence::redis::{RedisClock, RedisEngine};
use lastseen_shared::presence::{PresenceEngine, Reason};
use lastseen_shared::redis_client::Redis;
use lastseen_shared::timestamp::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::{Plan, Seen};
use crate::Failed;

/// Changes in hand at a time.
const HANDS: usize = 32;
/// So many go offline one after the other, and then come online again.
const GROUP: usize = 1_000;

/// What makes the transitions.
pub struct Changer {
    seen: Rc<Seen>,
    /// `None` where they are made over HTTP.
    engine: Option<RedisEngine>,
    address: SocketAddr,
    /// How often each watched user has changed.
    made: RefCell<Vec<u32>>,
    /// The session of each, where it is not the crowd's.
    sessions: RefCell<Vec<i64>>,
}

impl Changer {
    /// A changer as REDIS_URL says.
    pub fn new(plan: &Plan, seen: &Rc<Seen>) -> Result<Self, Failed> {
        let settings = crate::crowd::settings()?;
        let engine = match &settings.redis {
            Some(redis) => Some(RedisEngine::new(Redis::new(redis)?, settings.presence.shards, RedisClock::Server)),
            None => None,
        };
        let first = i64::try_from(plan.count)? + 1;
        let sessions = (first..).take(plan.count).collect();
        let made = RefCell::new(vec![0; plan.count]);
        Ok(Self { seen: Rc::clone(seen), engine, address: plan.address, made, sessions: RefCell::new(sessions) })
    }

    /// Makes `rate` transitions a second for some seconds. Answers how often each watched user has changed.
    pub async fn run(&self, rate: usize, seconds: usize) -> Result<Vec<u32>, Failed> {
        let count = self.seen.count;
        // Whoever has left stays away.
        let all = if self.engine.is_some() { rate * seconds } else { (rate * seconds).min(count) };
        let (next, begun) = (Cell::new(0), Instant::now());
        let hands = (0..HANDS).map(|_| async {
            let mut http = match self.engine {
                Some(_) => None,
                None => Some(TcpStream::connect(self.address).await?),
            };
            loop {
                let number = next.replace(next.get() + 1);
                if number >= all {
                    return Ok::<_, Failed>(());
                }
                sleep_until(begun + Duration::from_secs_f64(number as f64 / rate as f64)).await;
                match &mut http {
                    Some(http) => self.leave(http, number).await?,
                    None => {
                        let group = GROUP.min(count);
                        let user = number / (2 * group) * group + number % group;
                        self.change(user % count, number / group % 2 == 1, 2 * count + number + 1).await?;
                    }
                }
            }
        });
        try_join_all(hands).await?;
        Ok(self.made.take())
    }

    /// A watched user comes online with a new session, or logs out.
    async fn change(&self, place: usize, online: bool, session: usize) -> Result<(), Failed> {
        let Some(engine) = &self.engine else { return Ok(()) };
        let user = UserId(i64::try_from(self.seen.count + 1 + place)?);
        let changed = if online {
            let session = SessionId(i64::try_from(session)?);
            self.sessions.borrow_mut()[place] = session.0;
            let (profile, reason, read_at) = (Profile::default(), Reason::Login, Timestamp::now());
            let connect = Connect { user, session, timeout: self.seen.timeout, profile, reason, read_at };
            matches!(engine.connect(connect).await?, Connected::Live { .. })
        } else {
            let session = SessionId(self.sessions.borrow()[place]);
            engine.disconnect(user, session, Reason::Logout).await?.went_offline
        };
        if !changed {
            return Err(format!("user {} did not change", user.0).into());
        }
        self.made.borrow_mut()[place] += 1;
        Ok(())
    }

    /// A watched user's only session says that it is leaving.
    async fn leave(&self, http: &mut TcpStream, place: usize) -> Result<(), Failed> {
        let token = self.seen.token(self.seen.count + 1 + place)?;
        let (address, body) = (self.address, r#"{"leaving":true}"#);
        let request = format!(
            "POST /api/users/heartbeat/ HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        http.write_all(request.as_bytes()).await?;
        let mut answer = [0; 4_096];
        let mut read = 0;
        // The answer is an object without another in it.
        while !answer[..read].ends_with(b"}") {
            read += match http.read(&mut answer[read..]).await? {
                0 => return Err("no answer to a heartbeat".into()),
                some => some,
            };
        }
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            return Err(String::from_utf8_lossy(&answer[..read]).into_owned().into());
        }
        self.made.borrow_mut()[place] += 1;
        Ok(())
    }
}

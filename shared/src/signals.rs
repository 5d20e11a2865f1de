//! What is said to sockets and kept nowhere: that somebody is typing, that there is a notification. It may be lost with
//! a connection; whatever must not be lost is in the transitions or in the database.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::ids::UserId;
use crate::models::notification::Notification;
use crate::presence::EngineError;
use crate::presence::availability::Privacy;
use crate::redis_client::{Connection, Redis};

/// Signals that a slow follower may be behind before it misses some.
const BACKLOG: usize = 4_096;
/// After so long without a signal the connection is tried, for so long.
const QUIET: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(2);
/// How long to wait before listening again after the connection was lost.
const AGAIN: Duration = Duration::from_millis(500);

/// Something that is said to a user's sockets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum Signal {
    /// `from` is typing something for `to`.
    Typing {
        /// Who types.
        from: UserId,
        /// For whom.
        to: UserId,
        /// Who may see that `from` is online, and so that it types.
        privacy: Privacy,
    },
    /// There is a notification for a user.
    Notification(Notification),
}

impl Signal {
    /// Whose sockets it is for.
    #[must_use]
    pub fn to(&self) -> UserId {
        match self {
            Self::Typing { to, .. } => *to,
            Self::Notification(notification) => notification.user,
        }
    }
}

/// Where signals go, and come from: all processes of the distributed form, or the one that there is.
#[derive(Clone)]
pub struct Signals {
    local: broadcast::Sender<Arc<Signal>>,
    remote: Option<Arc<Remote>>,
}

struct Remote {
    redis: Redis,
    connection: Connection,
    channel: String,
    listening: OnceLock<()>,
}

impl Default for Signals {
    fn default() -> Self {
        Self::local()
    }
}

impl Signals {
    /// Within this process.
    #[must_use]
    pub fn local() -> Self {
        Self { local: broadcast::channel(BACKLOG).0, remote: None }
    }

    /// Among all processes on this Redis.
    ///
    /// # Panics
    /// For a Cluster, outside of a Tokio runtime.
    #[must_use]
    pub fn redis(redis: Redis) -> Self {
        let connection = redis.shared();
        let channel = format!("{}signals", redis.key_prefix());
        let remote = Remote { redis, connection, channel, listening: OnceLock::new() };
        Self { local: broadcast::channel(BACKLOG).0, remote: Some(Arc::new(remote)) }
    }

    /// Says it. Nobody may be there to hear it.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`].
    pub async fn send(&self, signal: Signal) -> Result<(), EngineError> {
        let Some(remote) = &self.remote else {
            // Nobody listens: that is no error.
            let _ = self.local.send(Arc::new(signal));
            return Ok(());
        };
        let text = serde_json::to_string(&signal).map_err(|error| EngineError::Protocol(error.to_string()))?;
        let mut connection = remote.connection.clone();
        let mut command = redis::cmd("PUBLISH");
        command.arg(&remote.channel).arg(text);
        let sent: redis::RedisResult<i64> = command.query_async(&mut connection).await;
        sent.map(drop).map_err(|error| EngineError::Unavailable(error.to_string()))
    }

    /// Follows what is said from now on. The first call of a process begins to listen on Redis.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<Arc<Signal>> {
        let receiver = self.local.subscribe();
        if let Some(remote) = &self.remote {
            remote.listening.get_or_init(|| {
                let (remote, local) = (Arc::downgrade(remote), self.local.clone());
                tokio::spawn(async move {
                    // Ends with the last handle on these signals.
                    while let Some(remote) = remote.upgrade() {
                        let (redis, channel) = (remote.redis.clone(), remote.channel.clone());
                        drop(remote);
                        if let Err(error) = listen(&redis, &channel, &local).await {
                            log::debug!("signals are not heard at the moment: {error}");
                        }
                        tokio::time::sleep(AGAIN).await;
                    }
                });
            });
        }
        receiver
    }
}

/// Passes on what is said, until the connection is lost.
async fn listen(redis: &Redis, channel: &str, local: &broadcast::Sender<Arc<Signal>>) -> Result<(), EngineError> {
    let (mut sink, mut heard) = redis.subscribed(channel).await?;
    loop {
        match tokio::time::timeout(QUIET, heard.next()).await {
            Ok(None) => return Ok(()),
            Ok(Some(message)) => {
                // What a newer version says is nothing to this one.
                if let Ok(signal) = serde_json::from_slice(message.get_payload_bytes()) {
                    let _ = local.send(Arc::new(signal));
                }
            }
            // A connection that was cut without a word would be quiet for ever.
            Err(_) => {
                let answered = tokio::time::timeout(ANSWER, sink.ping::<redis::Value>()).await;
                let answered = answered.map_err(|_| EngineError::Unavailable("no answer to a ping".to_owned()))?;
                answered.map_err(|error| EngineError::Unavailable(error.to_string()))?;
            }
        }
    }
}

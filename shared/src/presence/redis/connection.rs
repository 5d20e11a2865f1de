//! Connections to Redis: all of them reconnect by themselves, and no call on them waits for ever.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};

use crate::presence::EngineError;

/// How long a connection may take, and an answer.
const CONNECT_WITHIN: Duration = Duration::from_millis(1_000);
const ANSWER_WITHIN: Duration = Duration::from_millis(2_000);
/// What a call may take in all, a reconnect included.
pub(super) const CALL_WITHIN: Duration = Duration::from_millis(2_500);

/// Which Redis, and what its keys begin with.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// `redis://[user:password@]host[:port][/db]`.
    pub url: String,
    /// Stands before every key.
    pub key_prefix: String,
}

/// A Redis server to connect to.
#[derive(Clone, Debug)]
pub struct Redis {
    client: redis::Client,
    key_prefix: String,
}

impl Redis {
    /// Reads the address. Connects to nothing.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the address, without the password in it.
    pub fn new(settings: &RedisSettings) -> Result<Self, String> {
        let client = redis::Client::open(settings.url.as_str())
            .map_err(|error| format!("is no address of a Redis server ({})", error.kind_text()))?;
        Ok(Self { client, key_prefix: settings.key_prefix.clone() })
    }

    /// What stands before every key.
    #[must_use]
    pub fn key_prefix(&self) -> &str {
        &self.key_prefix
    }

    /// A connection that many callers share. Made at the first call on it, and again after it was lost.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] where no connection can be prepared.
    pub fn shared(&self) -> Result<ConnectionManager, EngineError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN))
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_millis(250));
        ConnectionManager::new_lazy_with_config(self.client.clone(), config).map_err(unavailable)
    }

    /// A connection of one's own, on which a blocking command may take up to `longest`.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] where Redis can't be reached.
    pub async fn blocking(&self, longest: Duration) -> Result<redis::aio::MultiplexedConnection, EngineError> {
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(longest + ANSWER_WITHIN));
        self.client.get_multiplexed_async_connection_with_config(&config).await.map_err(unavailable)
    }

    /// What is published on a channel from now on, while the sink is kept. Ends where the connection is lost.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] where Redis can't be reached.
    pub async fn subscribed(
        &self,
        channel: &str,
    ) -> Result<(redis::aio::PubSubSink, redis::aio::PubSubStream), EngineError> {
        let connected = tokio::time::timeout(CONNECT_WITHIN, self.client.get_async_pubsub()).await;
        let connected = connected.map_err(|_| EngineError::Unavailable("no connection in time".to_owned()))?;
        let (mut sink, stream) = connected.map_err(unavailable)?.split();
        sink.subscribe(channel).await.map_err(unavailable)?;
        Ok((sink, stream))
    }
}

/// An error of the client's, as the engine's.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(super) fn unavailable(error: redis::RedisError) -> EngineError {
    EngineError::Unavailable(error.to_string())
}

trait KindText {
    fn kind_text(&self) -> String;
}

impl KindText for redis::RedisError {
    fn kind_text(&self) -> String {
        format!("{:?}", self.kind())
    }
}

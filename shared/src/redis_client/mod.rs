//! Connections to Redis: to one server, to a Cluster, or to the master that Sentinels name. All of them are made again by
//! themselves, and no call on them waits for ever.

mod address;
mod connection;

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::{ClusterClient, ClusterConfig};
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, RedisError, RedisResult};

use self::address::Address;
pub use self::connection::Connection;
use crate::presence::EngineError;

/// How long a connection may take, and an answer.
const CONNECT_WITHIN: Duration = Duration::from_millis(1_000);
const ANSWER_WITHIN: Duration = Duration::from_millis(2_000);
/// What a call may take in all, a reconnect included.
pub const CALL_WITHIN: Duration = Duration::from_millis(2_500);

/// Which Redis, and what its keys begin with.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// `redis://[user:password@]host[:port][/db]`; several of these, separated by commas, for a Cluster; or
    /// `redis+sentinel://[user:password@]host[:port][,host…]/master[/db]`.
    pub url: String,
    /// Stands before every key.
    pub key_prefix: String,
}

/// The Redis to connect to.
#[derive(Clone)]
pub struct Redis {
    target: Arc<Target>,
    key_prefix: String,
}

enum Target {
    Server(Client),
    Cluster { cluster: Box<ClusterClient>, nodes: Vec<Client> },
    Sentinel(Box<tokio::sync::Mutex<SentinelClient>>, i64),
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("key_prefix", &self.key_prefix).finish_non_exhaustive()
    }
}

fn sentinel_client(address: &address::Sentinel) -> RedisResult<SentinelClient> {
    let hosts = address.sentinels.iter().map(|(host, port)| ConnectionAddr::Tcp(host.clone(), *port));
    let mut builder = SentinelClientBuilder::new(hosts, &address.master, SentinelServerType::Master)?;
    builder = builder.set_client_to_redis_db(address.db);
    if let Some(username) = &address.username {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = &address.password {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(username) = &address.sentinel_username {
        builder = builder.set_client_to_sentinel_username(username);
    }
    if let Some(password) = &address.sentinel_password {
        builder = builder.set_client_to_sentinel_password(password);
    }
    builder.build()
}

impl Redis {
    /// Reads the address. Connects to nothing.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the address, without the password in it.
    pub fn new(settings: &RedisSettings) -> Result<Self, String> {
        let wrong = |error: RedisError| format!("is no address of Redis ({:?})", error.kind());
        let target = match Address::parse(&settings.url)? {
            Address::Server(server) => Target::Server(Client::open(server).map_err(wrong)?),
            Address::Cluster(nodes) => Target::Cluster {
                cluster: Box::new(ClusterClient::new(nodes.clone()).map_err(wrong)?),
                nodes: nodes.into_iter().map(Client::open).collect::<RedisResult<_>>().map_err(wrong)?,
            },
            Address::Sentinel(address) => {
                let client = sentinel_client(&address).map_err(wrong)?;
                Target::Sentinel(Box::new(tokio::sync::Mutex::new(client)), address.db)
            }
        };
        Ok(Self { target: Arc::new(target), key_prefix: settings.key_prefix.clone() })
    }

    /// What stands before every key.
    #[must_use]
    pub fn key_prefix(&self) -> &str {
        &self.key_prefix
    }

    /// Whether keys are spread over several servers: a command may name those of one slot only.
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        matches!(*self.target, Target::Cluster { .. })
    }

    fn db(&self) -> i64 {
        match &*self.target {
            Target::Server(client) => client.get_connection_info().redis_settings().db(),
            Target::Sentinel(_, db) => *db,
            Target::Cluster { .. } => 0,
        }
    }

    /// A connection that many callers share. Made at the first call on it, and again after it was lost.
    ///
    /// # Panics
    /// For a Cluster, outside of a Tokio runtime: the connection's task is started there.
    #[must_use]
    pub fn shared(&self) -> Connection {
        match &*self.target {
            Target::Cluster { cluster, .. } => Connection::to_cluster(
                cluster.get_pending_async_connection_with_config(cluster_config(ANSWER_WITHIN)),
            ),
            Target::Server(_) | Target::Sentinel(..) => Connection::to_one(self.clone()),
        }
    }

    /// A connection of one's own, on which a blocking command may take up to `longest`.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] where Redis can't be reached.
    pub async fn blocking(&self, longest: Duration) -> Result<Blocking, EngineError> {
        let within = longest + ANSWER_WITHIN;
        if let Target::Cluster { cluster, .. } = &*self.target {
            let connecting = cluster.get_async_connection_with_config(cluster_config(within));
            let connected = tokio::time::timeout(CALL_WITHIN, connecting).await;
            let connected = connected.map_err(|_| EngineError::Unavailable("no connection in time".to_owned()))?;
            return connected.map(|cluster| Blocking(BlockingKind::Cluster(cluster))).map_err(unavailable);
        }
        self.connect(within).await.map(|one| Blocking(BlockingKind::One(one))).map_err(unavailable)
    }

    /// A new connection to the one server, or to the master of the moment.
    async fn connect(&self, answer_within: Duration) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(answer_within));
        self.one().await?.get_multiplexed_async_connection_with_config(&config).await
    }

    /// The one server, the master of the moment, or any node.
    async fn one(&self) -> RedisResult<Client> {
        match &*self.target {
            Target::Server(client) => Ok(client.clone()),
            Target::Sentinel(client, _) => {
                let asking = async { client.lock().await.async_get_client().await };
                tokio::time::timeout(CALL_WITHIN, asking).await.unwrap_or_else(|_| Err(too_slow()))
            }
            Target::Cluster { nodes, .. } => {
                for node in nodes {
                    let connecting = node.get_multiplexed_async_connection();
                    if let Ok(Ok(_)) = tokio::time::timeout(CONNECT_WITHIN, connecting).await {
                        return Ok(node.clone());
                    }
                }
                Err(too_slow())
            }
        }
    }

    /// What is published on a channel from now on, while the sink is kept. Ends where the connection is lost. In a Cluster
    /// every node hears what is published on any.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] where Redis can't be reached.
    pub async fn subscribed(
        &self,
        channel: &str,
    ) -> Result<(redis::aio::PubSubSink, redis::aio::PubSubStream), EngineError> {
        let client = self.one().await.map_err(unavailable)?;
        let connected = tokio::time::timeout(CONNECT_WITHIN, client.get_async_pubsub()).await;
        let connected = connected.map_err(|_| EngineError::Unavailable("no connection in time".to_owned()))?;
        let (mut sink, stream) = connected.map_err(unavailable)?.split();
        sink.subscribe(channel).await.map_err(unavailable)?;
        Ok((sink, stream))
    }
}

/// See [`Redis::blocking`].
pub struct Blocking(BlockingKind);

enum BlockingKind {
    One(MultiplexedConnection),
    Cluster(redis::cluster_async::ClusterConnection),
}

impl Blocking {
    /// Sends a command, and waits for its answer.
    ///
    /// # Errors
    /// Redis's.
    pub async fn query(&mut self, command: &redis::Cmd) -> RedisResult<redis::Value> {
        match &mut self.0 {
            BlockingKind::One(one) => command.query_async(one).await,
            BlockingKind::Cluster(cluster) => command.query_async(cluster).await,
        }
    }
}

fn cluster_config(answer_within: Duration) -> ClusterConfig {
    ClusterConfig::new().set_connection_timeout(CONNECT_WITHIN).set_response_timeout(answer_within)
}

fn too_slow() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

/// An error of the client's, as the engine's.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(crate) fn unavailable(error: RedisError) -> EngineError {
    EngineError::Unavailable(error.to_string())
}

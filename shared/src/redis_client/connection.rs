//! A connection that many callers share, and that finds its server again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, ServerErrorKind, Value};

use super::Redis;

/// For so long after a failed attempt to connect, all callers are told of it without another one.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection that many callers share. Cheap to clone; clones share it. It is made at the first call on it, and again after
/// it was lost, or after the server has become a replica; a call that met that is told so.
#[derive(Clone)]
pub struct Connection(Kind);

#[derive(Clone)]
enum Kind {
    One(Arc<One>),
    /// Finds its nodes again by itself.
    Cluster(ClusterConnection),
}

/// The connection to one server: the one that is named, or the one that the Sentinels name.
struct One {
    redis: Redis,
    state: Mutex<State>,
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    live: Option<MultiplexedConnection>,
    /// Counts the connections, so that only the one that failed is dropped.
    number: u64,
    failed: Option<(Instant, RedisError)>,
}

impl Connection {
    pub(super) fn to_one(redis: Redis) -> Self {
        Self(Kind::One(Arc::new(One { redis, state: Mutex::default(), connecting: tokio::sync::Mutex::default() })))
    }

    pub(super) fn to_cluster(connection: ClusterConnection) -> Self {
        Self(Kind::Cluster(connection))
    }
}

/// Whether a server that answers so is not the one to ask any more, and has done nothing.
fn is_elsewhere(error: &RedisError) -> bool {
    let kind = error.kind();
    kind == ErrorKind::Server(ServerErrorKind::ReadOnly) || kind == ErrorKind::Server(ServerErrorKind::MasterDown)
}

impl One {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known without connecting.
    fn known(&self) -> Option<RedisResult<(MultiplexedConnection, u64)>> {
        let state = self.state();
        if let Some(live) = &state.live {
            return Some(Ok((live.clone(), state.number)));
        }
        let failed = state.failed.as_ref().filter(|(when, _)| when.elapsed() < PAUSE);
        failed.map(|(_, error)| Err(error.clone()))
    }

    async fn current(&self) -> RedisResult<(MultiplexedConnection, u64)> {
        if let Some(known) = self.known() {
            return known;
        }
        // One attempt at a time, for all who wait.
        let _turn = self.connecting.lock().await;
        if let Some(known) = self.known() {
            return known;
        }
        let connected = self.redis.connect(super::ANSWER_WITHIN).await;
        let mut state = self.state();
        match connected {
            Ok(live) => {
                state.number += 1;
                state.failed = None;
                state.live = Some(live.clone());
                Ok((live, state.number))
            }
            Err(error) => {
                state.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    fn forget(&self, number: u64) {
        let mut state = self.state();
        if state.number == number {
            state.live = None;
        }
    }

    /// Takes note of how a call on this connection went. Answers whether the server has done nothing, because another one is
    /// to be asked.
    fn note<T>(&self, answer: &RedisResult<T>, number: u64) -> bool {
        let Err(error) = answer else { return false };
        let elsewhere = is_elsewhere(error);
        if elsewhere || error.is_unrecoverable_error() {
            self.forget(number);
        }
        elsewhere
    }

    async fn command(&self, command: &Cmd) -> RedisResult<Value> {
        let (mut connection, number) = self.current().await?;
        let answer = connection.req_packed_command(command).await;
        if !self.note(&answer, number) {
            return answer;
        }
        let (mut connection, number) = self.current().await?;
        let answer = connection.req_packed_command(command).await;
        self.note(&answer, number);
        answer
    }

    async fn commands(&self, pipeline: &Pipeline, offset: usize, count: usize) -> RedisResult<Vec<Value>> {
        let (mut connection, number) = self.current().await?;
        let answer = connection.req_packed_commands(pipeline, offset, count).await;
        if !self.note(&answer, number) {
            return answer;
        }
        let (mut connection, number) = self.current().await?;
        let answer = connection.req_packed_commands(pipeline, offset, count).await;
        self.note(&answer, number);
        answer
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match &mut self.0 {
            Kind::One(one) => Box::pin(one.command(cmd)),
            Kind::Cluster(cluster) => cluster.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match &mut self.0 {
            Kind::One(one) => Box::pin(one.commands(pipeline, offset, count)),
            Kind::Cluster(cluster) => cluster.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match &self.0 {
            Kind::One(one) => one.redis.db(),
            Kind::Cluster(_) => 0,
        }
    }
}

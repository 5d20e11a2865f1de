//! Limits that are counted in Redis, by its clock, for all processes on it. Each key stands alone, so that in a Cluster it is
//! on any server.

use std::time::Duration;

use redis::{RedisResult, Script};

use super::{Failures, Rate};
use crate::redis_client::{Connection, Redis};

/// The longest that a limit may take: whoever is limited is no reason to wait.
const WITHIN: Duration = Duration::from_millis(500);

/// Answers are `None` where Redis is away.
pub(super) struct Remote {
    connection: Connection,
    prefix: String,
    rate: Script,
    failures: Script,
    wait: Script,
}

impl Remote {
    pub(super) fn new(redis: &Redis) -> Self {
        Self {
            connection: redis.shared(),
            prefix: redis.key_prefix().to_owned(),
            rate: Script::new(include_str!("rate.lua")),
            failures: Script::new(include_str!("failures.lua")),
            wait: Script::new(include_str!("wait.lua")),
        }
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    pub(super) async fn take(&self, rate: &Rate, key: &str) -> Option<Duration> {
        let mut call = self.rate.key(self.key(key));
        call.arg(rate.burst).arg(u64::try_from(rate.every.as_micros()).unwrap_or(u64::MAX));
        let wait = within(call.invoke_async::<u64>(&mut self.connection.clone())).await?;
        Some(Duration::from_micros(wait))
    }

    pub(super) async fn check(&self, key: &str) -> Option<Duration> {
        let call = self.wait.key(self.key(key));
        within(call.invoke_async::<u64>(&mut self.connection.clone())).await.map(Duration::from_millis)
    }

    pub(super) async fn failed(&self, failures: &Failures, key: &str) -> Option<()> {
        let mut call = self.failures.key(self.key(key));
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        call.arg(failures.free).arg(ms(failures.first)).arg(ms(failures.longest));
        within(call.invoke_async::<u64>(&mut self.connection.clone())).await.map(drop)
    }

    pub(super) async fn forget(&self, key: &str) {
        within(redis::cmd("DEL").arg(self.key(key)).query_async::<()>(&mut self.connection.clone())).await;
    }
}

async fn within<T>(call: impl Future<Output = RedisResult<T>>) -> Option<T> {
    match tokio::time::timeout(WITHIN, call).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            log::debug!("a limit is counted in this process alone: {error}");
            None
        }
        Err(_) => None,
    }
}

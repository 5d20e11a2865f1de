//! The operations, each one script, one command or one transaction.

use std::collections::HashMap;
use std::time::Duration;

use redis::{AsyncCommands, Value};

use super::answers::{Answer, array, epoch, held_sessions, integer, shards_of, stretch, text, unknown};
use super::engine::{ABORTED, EPOCH, LONGEST_WAIT, LOOKUP_BATCH, RedisEngine, SWEEP_BATCH, TOUCH_BATCH, TRANSITIONS};
use super::profiles::{privacy_text, profile, profile_text};
use crate::ids::{SessionId, UserId};
use crate::presence::availability::Profile;
use crate::presence::engine::{
    Connect, Connected, Counts, Delta, Disconnected, ENDED_MEMORY, Expired, Lookup, PresenceEngine, ROW_FRESHNESS,
    Restatement, Scan, Snapshot, Touch, Touched,
};
use crate::presence::rule::{HeldSession, Known};
use crate::presence::transition::{Epoch, Stretch, TransitionId};
use crate::presence::{EngineError, Reason};
use crate::redis_client::unavailable;
use crate::timestamp::{Deadline, Timestamp, millis};

impl PresenceEngine for RedisEngine {
    fn shards(&self) -> u32 {
        self.shards
    }

    async fn start(&self) -> Answer<()> {
        for shard in 0..self.shards {
            self.epoch(shard).await?;
        }
        self.warn_of_eviction().await;
        Ok(())
    }

    async fn now(&self, user: UserId) -> Answer<Timestamp> {
        Ok(self.epoch(user.shard(self.shards)).await?.1)
    }

    async fn touch(&self, shard: u32, batch: &[Touch]) -> Answer<Touched> {
        self.keys(shard)?;
        if batch.is_empty() {
            return Ok(Touched { now: self.epoch(shard).await?.1, deadlines: Vec::new() });
        }
        let mut all = Touched { now: Timestamp(0), deadlines: Vec::with_capacity(batch.len()) };
        for part in batch.chunks(TOUCH_BATCH) {
            for beat in self.touch_all(part).await {
                let beat = beat?;
                all.now = beat.now;
                all.deadlines.push(beat.deadline);
            }
        }
        Ok(all)
    }

    async fn connect(&self, connect: Connect) -> Answer<Connected> {
        let keys = self.keys_of(connect.user)?;
        let mut call = self.script(&self.scripts.connect, keys);
        call.key(format!("{}:ended:u:{}", keys.tag, connect.user))
            .key(format!("{}:ended:s:{}", keys.tag, connect.session))
            .key(format!("{}:timeout:u:{}", keys.tag, connect.user))
            .key(format!("{}:profile:u:{}", keys.tag, connect.user))
            .arg(self.shards)
            .arg(connect.user.0)
            .arg(connect.session.0)
            .arg(millis(connect.timeout))
            .arg(if connect.reason == Reason::Login { "l" } else { "h" })
            .arg(connect.read_at.0)
            .arg(millis(ROW_FRESHNESS))
            .arg(profile_text(&connect.profile));
        let (now, deadline): (i64, i64) = self.invoke(&call).await?;
        Ok(match deadline {
            0 => Connected::Ended,
            -1 => Connected::Stale,
            at => Connected::Live { now: Timestamp(now), deadline: Deadline(Timestamp(at)) },
        })
    }

    async fn disconnect(&self, user: UserId, session: SessionId, reason: Reason) -> Answer<Disconnected> {
        let keys = self.keys_of(user)?;
        let mut call = self.script(&self.scripts.disconnect, keys);
        call.key(format!("{}:ended:s:{session}", keys.tag))
            .arg(self.shards)
            .arg(user.0)
            .arg(session.0)
            .arg(reason.as_str())
            .arg(millis(ENDED_MEMORY));
        let (now, offline): (i64, i64) = self.invoke(&call).await?;
        Ok(Disconnected { now: Timestamp(now), went_offline: offline == 1 })
    }

    async fn evict(&self, user: UserId, up_to: SessionId, reason: Reason) -> Answer<Disconnected> {
        let keys = self.keys_of(user)?;
        let mut call = self.script(&self.scripts.evict, keys);
        call.key(format!("{}:ended:u:{user}", keys.tag))
            .arg(self.shards)
            .arg(user.0)
            .arg(up_to.0)
            .arg(reason.as_str())
            .arg(millis(ENDED_MEMORY));
        let (now, offline): (i64, i64) = self.invoke(&call).await?;
        Ok(Disconnected { now: Timestamp(now), went_offline: offline == 1 })
    }

    async fn admit(&self, user: UserId, after: SessionId) -> Answer<()> {
        let key = format!("{}:ended:u:{user}", self.keys_of(user)?.tag);
        let (key, ttl) = (&key, ENDED_MEMORY.as_secs());
        self.within(|mut connection| async move { connection.set_ex::<_, _, ()>(key, after.0, ttl).await }).await
    }

    async fn retime(&self, user: UserId, timeout: Duration) -> Answer<()> {
        let keys = self.keys_of(user)?;
        let mut call = self.script(&self.scripts.retime, keys);
        call.key(format!("{}:timeout:u:{user}", keys.tag))
            .arg(self.shards)
            .arg(user.0)
            .arg(millis(timeout))
            .arg(millis(ENDED_MEMORY));
        self.invoke::<i64>(&call).await.map(drop)
    }

    async fn leave(&self, user: UserId, session: SessionId, grace: Duration) -> Answer<Option<Deadline>> {
        let mut call = self.script(&self.scripts.leave, self.keys_of(user)?);
        call.arg(self.shards).arg(user.0).arg(session.0).arg(millis(grace));
        let (_, deadline): (i64, i64) = self.invoke(&call).await?;
        Ok(Timestamp(deadline).nonzero().map(Deadline))
    }

    async fn present(&self, user: UserId, before: &Profile, after: &Profile) -> Answer<()> {
        let keys = self.keys_of(user)?;
        let mut call = self.script(&self.scripts.present, keys);
        call.key(format!("{}:profile:u:{user}", keys.tag))
            .arg(self.shards)
            .arg(user.0)
            .arg(profile_text(after))
            .arg(privacy_text(before.privacy))
            .arg(privacy_text(after.privacy))
            .arg(millis(ENDED_MEMORY));
        self.invoke::<i64>(&call).await.map(drop)
    }

    async fn idle(&self, user: UserId, session: SessionId, idle: bool) -> Answer<bool> {
        let mut call = self.script(&self.scripts.idle, self.keys_of(user)?);
        call.arg(self.shards).arg(user.0).arg(session.0).arg(i32::from(idle));
        Ok(self.invoke::<i64>(&call).await? == 1)
    }

    async fn relate(&self, user: UserId, other: UserId) -> Answer<()> {
        let mut call = self.script(&self.scripts.relate, self.keys_of(user)?);
        call.arg(self.shards).arg(user.0).arg(other.0);
        self.invoke::<i64>(&call).await.map(drop)
    }

    async fn expire(&self, shard: u32, most: usize) -> Answer<Expired> {
        let keys = self.keys(shard)?;
        let mut taken = 0;
        loop {
            let batch = SWEEP_BATCH.min(most - taken);
            let mut call = self.script(&self.scripts.expire, keys);
            call.arg(self.shards).arg(batch);
            let turn = self.sweeping.acquire().await;
            let (settled, more, next): (usize, i64, i64) = self.invoke(&call).await?;
            drop(turn);
            taken += settled;
            if more == 0 || taken >= most {
                return Ok(Expired { taken, next: u64::try_from(next).ok().map(Duration::from_millis) });
            }
        }
    }

    async fn lookup(&self, users: &[UserId]) -> Answer<Lookup> {
        let places = self.places_by_shard(users);
        let calls = places.iter().zip(0..).map(|(places, shard)| async move {
            let asked: Vec<UserId> = places.iter().map(|place| users[*place]).collect();
            let mut whole = self.lookup_shard(shard, &asked[..asked.len().min(LOOKUP_BATCH)]).await?;
            for more in asked.chunks(LOOKUP_BATCH).skip(1) {
                let more = self.lookup_shard(shard, more).await?;
                whole.known.extend(more.known);
                whole.hidden.extend(more.hidden);
            }
            Ok::<_, EngineError>(whole)
        });
        let answers = futures_util::future::try_join_all(calls).await?;
        let mut all =
            Lookup { known: vec![Known::Settled; users.len()], hidden: HashMap::new(), counts: Counts::default() };
        for (answer, places) in answers.into_iter().zip(&places) {
            all.counts += answer.counts;
            all.hidden.extend(answer.hidden);
            for (known, place) in answer.known.into_iter().zip(places) {
                all.known[*place] = known;
            }
        }
        Ok(all)
    }

    async fn snapshot(&self, users: &[UserId]) -> Answer<Snapshot> {
        let places = self.places_by_shard(users);
        let calls =
            places.iter().zip(0..).filter(|(places, _)| !places.is_empty()).map(|(places, shard)| async move {
                let asked: Vec<UserId> = places.iter().map(|place| users[*place]).collect();
                Ok::<_, EngineError>((places, self.snapshot_shard(shard, &asked).await?))
            });
        let answers = futures_util::future::try_join_all(calls).await?;
        let mut all = Snapshot { known: vec![Known::Settled; users.len()], ..Snapshot::default() };
        for (places, answer) in answers {
            all.places.extend(answer.places);
            all.hidden.extend(answer.hidden);
            for (known, place) in answer.known.into_iter().zip(places) {
                all.known[*place] = known;
            }
        }
        Ok(all)
    }

    async fn sessions(&self, user: UserId) -> Answer<Vec<HeldSession>> {
        let mut call = self.script(&self.scripts.sessions, self.keys_of(user)?);
        call.arg(user.0);
        held_sessions(&self.invoke(&call).await?)
    }

    async fn delta(&self) -> Answer<Delta> {
        let shards = (0..self.shards).map(|shard| self.delta_of_shard(shard));
        let mut all = Delta::default();
        for delta in futures_util::future::try_join_all(shards).await? {
            all.counts += delta.counts;
            all.users.extend(delta.users);
        }
        // HSCAN may name a user twice; the later answer is the newer.
        let mut met = std::collections::HashSet::with_capacity(all.users.len());
        all.users.reverse();
        all.users.retain(|(user, _)| met.insert(*user));
        Ok(all)
    }

    async fn transitions(&self, shard: u32, after: TransitionId, most: usize) -> Answer<Stretch> {
        let keys = self.keys(shard)?;
        // A client's cursor may be anything, and Redis refuses to read after the greatest id.
        let after = after.min(TransitionId { ms: u64::MAX, seq: u64::MAX - 1 });
        let (stream, epoch) = (&keys.common[TRANSITIONS], &keys.common[EPOCH]);
        let mut reading = redis::pipe();
        reading.atomic().get(epoch).get(&keys.trimmed);
        reading.cmd("XREVRANGE").arg(stream).arg("+").arg("-").arg("COUNT").arg(1);
        reading.cmd("XRANGE").arg(stream).arg(format!("({after}")).arg("+").arg("COUNT").arg(most);
        // To hand hundreds of entries through Lua costs more than to read them. Only a script is told, though, that its keys
        // are elsewhere, or will be soon: a transaction is refused, and nobody follows that.
        let reading = &reading;
        let read = || {
            self.within(|mut connection| async move {
                match reading.query_async::<Value>(&mut connection).await {
                    Err(error) if error.kind() == ABORTED => {
                        let mut script = self.script(&self.scripts.transitions, keys);
                        script.key(&keys.trimmed).arg(after.to_string()).arg(most);
                        script.invoke_async(&mut connection).await
                    }
                    answer => answer,
                }
            })
        };
        let stretch = match stretch(&read().await?)? {
            Some(stretch) => stretch,
            None => {
                self.epoch(shard).await?;
                stretch(&read().await?)?.ok_or_else(|| unknown("no epoch"))?
            }
        };
        match shards_of(&stretch.epoch) {
            Some(stored) if stored == self.shards => Ok(stretch),
            stored => Err(EngineError::OtherShardCount { stored: stored.unwrap_or(0), configured: self.shards }),
        }
    }

    async fn wait(&self, shard: u32, after: TransitionId, longest: Duration) -> Answer<()> {
        let key = self.keys(shard)?.common[TRANSITIONS].clone();
        let slot = &self.waiting[shard as usize];
        // Taken out, and put back only after an answer: a call that was given up leaves nothing half-read behind, and
        // whoever waits beside this one takes a connection of its own.
        let kept = slot.lock().await.take();
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.redis.blocking(LONGEST_WAIT).await?,
        };
        let longest = longest.clamp(Duration::from_millis(1), LONGEST_WAIT);
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(1).arg("BLOCK").arg(millis(longest)).arg("STREAMS").arg(key).arg(after.to_string());
        connection.query(&command).await.map_err(unavailable)?;
        *slot.lock().await = Some(connection);
        Ok(())
    }

    async fn projected(&self, shard: u32, up_to: TransitionId, users: &[UserId]) -> Answer<()> {
        let keys = self.keys(shard)?;
        if users.is_empty() {
            let mut from = "0".to_owned();
            loop {
                let mut call = self.script(&self.scripts.projected, keys);
                call.arg(up_to.to_string()).arg(&from);
                from = self.invoke(&call).await?;
                if from == "0" {
                    return Ok(());
                }
            }
        }
        for some in users.chunks(LOOKUP_BATCH) {
            let mut call = self.script(&self.scripts.projected, keys);
            call.arg(up_to.to_string()).arg("-");
            for user in some {
                call.arg(user.0);
            }
            self.invoke::<String>(&call).await?;
        }
        Ok(())
    }

    async fn trim(&self, shard: u32, projected: TransitionId, keep: Duration) -> Answer<u64> {
        let keys = self.keys(shard)?;
        let mut call = self.script(&self.scripts.trim, keys);
        call.key(&keys.trimmed).arg(projected.to_string()).arg(millis(keep));
        self.invoke(&call).await
    }

    async fn restate(&self, user: UserId, projected_online: bool, offline: Restatement) -> Answer<bool> {
        let mut call = self.script(&self.scripts.restate, self.keys_of(user)?);
        call.arg(self.shards)
            .arg(user.0)
            .arg(i32::from(projected_online))
            .arg(offline.at.0)
            .arg(offline.last_seen.0)
            .arg(offline.reason.as_str());
        Ok(self.invoke::<i64>(&call).await? == 1)
    }

    async fn scan(&self, shard: u32, from: u64) -> Answer<Scan> {
        let mut call = self.script(&self.scripts.scan, self.keys(shard)?);
        call.arg(from);
        let answer: Vec<Value> = self.invoke(&call).await?;
        let (next, rest) = answer.split_first().ok_or_else(|| unknown("nothing"))?;
        let next: u64 = text(next)?.parse().map_err(|_| unknown(next))?;
        let users = rest
            .chunks_exact(3)
            .map(|part| Ok((UserId(integer(&part[0])?), held_sessions(&part[1])?, profile(&text(&part[2])?)?)))
            .collect::<Answer<_>>()?;
        Ok(Scan { next: (next != 0).then_some(next), users })
    }

    async fn epoch(&self, shard: u32) -> Answer<(Epoch, Timestamp)> {
        let mut call = self.script(&self.scripts.epoch, self.keys(shard)?);
        call.arg(self.shards);
        let answer: Value = self.invoke(&call).await?;
        let [id, now] = array(&answer)? else { return Err(unknown(answer)) };
        Ok((epoch(id)?, Timestamp(integer(now)?)))
    }
}

//! The engine of the distributed form, on Redis.
//!
//! Every key, for shard S of N (a user's id modulo N). The braces make a shard one slot of a Redis Cluster; before
//! them stands `LASTSEEN_KEY_PREFIX`, empty unless several installations share one Redis.
//!
//! | key | type | holds, and why |
//! | --- | --- | --- |
//! | `{p:S}:deadlines` | hash | `user:session` → `deadline:timeout`, 13 digits in ms, and ms. A heartbeat reads and writes nothing else. Last seen = deadline − timeout |
//! | `{p:S}:groups` | hash | group → a line feed, and a line `user=reason\|gone\|session,…` for each of its users who has sessions that are not settled: a reader finds a user's sessions without a search, and a look all users of a group at once. Behind it `\|choice privacy\|ends\|words` where the user's profile is not the plain one, and behind a session an `i` where its device is idle. What would be `user=reason\|\|session` is `user:session=reason`. And `n` → how many such users there are |
//! | `{p:S}:due` | sorted set | group → no later than when a session or a choice of its users next ends. Heartbeats leave it alone: whoever sweeps or counts looks at the groups whose time has come, and sets it anew where nobody is left who is late |
//! | `{p:S}:hidden` | set | users with sessions who are invisible: who is online is counted without them |
//! | `{p:S}:limited`, `{p:S}:away`, `{p:S}:dnd` | sets | of the others, those whom not everyone may see to be online, who are away, who are not to be disturbed: to be counted without a search |
//! | `{p:S}:unprojected` | hash | user → its last transition, from the moment it happens until some seconds after the database has it: so that readers are right however far behind the projector is |
//! | `{p:S}:transitions` | stream | every transition, and every change of what is shown and to whom, appended by the script that causes it, so that none is lost |
//! | `{p:S}:epoch` | string | `N:born_µs`, made where there is none. A new one means that Redis lost the shard's data; another N stops a process that is set to a different number of shards |
//! | `{p:S}:trimmed` | string | transitions up to this id may be gone: an older cursor has expired |
//! | `{p:S}:ended:u:U` | string, 60 s | all sessions of user U up to this id were ended: a slow `connect` that read their rows before is refused |
//! | `{p:S}:ended:s:N` | string, 60 s | session N was ended, likewise |
//! | `{p:S}:timeout:u:U` | string, 60 s | the timeout that user U chose, for a slow `connect` that read the one before |
//! | `{p:S}:profile:u:U` | string, 60 s | the profile that user U changed to, likewise |
//! | `{p:S}:projector` | string, 5 s | which process follows this shard's transitions into the database: a lease, only to save wasted work |
//! | `{p:S}:expirer` | string, as long as its holder says | which process sweeps this shard between the sweep's ticks: a lease, likewise |
//!
//! Time is Redis's own (`TIME`, inside the scripts): one clock a shard, machines with skewed clocks agree, and a
//! deadline never moves back by a heartbeat. The scripts are in `presence/lua`, each with its keys and arguments at
//! the top; they are loaded once and called by hash.

mod answers;
mod engine;
mod operations;
mod profiles;
mod scripts;

pub use engine::RedisEngine;
pub use scripts::RedisClock;

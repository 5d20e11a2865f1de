//! The scripts, put together from the texts in `presence/lua`.

use redis::Script;

/// Where the scripts' time comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RedisClock {
    /// Redis's `TIME`.
    #[default]
    Server,
    /// A key of each shard, `clock`, that holds milliseconds: for tests, which move it by hand.
    Key,
}

/// All scripts of the engine.
pub(super) struct Scripts {
    pub touch: Script,
    pub connect: Script,
    pub disconnect: Script,
    pub evict: Script,
    pub retime: Script,
    pub leave: Script,
    pub expire: Script,
    pub lookup: Script,
    pub delta: Script,
    pub sessions: Script,
    pub scan: Script,
    pub transitions: Script,
    pub projected: Script,
    pub trim: Script,
    pub restate: Script,
    pub epoch: Script,
    pub present: Script,
    pub idle: Script,
    pub relate: Script,
    pub snapshot: Script,
}

const SERVER_CLOCK: &str = "\
local function clock()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end
";

const KEY_CLOCK: &str = "\
local function clock()
  return tonumber(redis.call('GET', string.match(KEYS[1], '^.*{p:%d+}:') .. 'clock'))
end
";

impl Scripts {
    pub(super) fn new(clock: RedisClock) -> Self {
        let clock = match clock {
            RedisClock::Server => SERVER_CLOCK,
            RedisClock::Key => KEY_CLOCK,
        };
        let prelude = [
            clock,
            include_str!("../lua/prelude.lua"),
            include_str!("../lua/settling.lua"),
            include_str!("../lua/reading.lua"),
        ]
        .concat();
        let script = |body: &str| Script::new(&format!("{prelude}{body}"));
        Self {
            // The hot path does without the prelude: it is parsed once, but run on every call.
            touch: Script::new(&format!("{clock}{}", include_str!("../lua/touch.lua"))),
            connect: script(include_str!("../lua/connect.lua")),
            disconnect: script(include_str!("../lua/disconnect.lua")),
            evict: script(include_str!("../lua/evict.lua")),
            retime: script(include_str!("../lua/retime.lua")),
            leave: script(include_str!("../lua/leave.lua")),
            expire: script(include_str!("../lua/expire.lua")),
            lookup: script(include_str!("../lua/lookup.lua")),
            delta: script(include_str!("../lua/delta.lua")),
            sessions: script(include_str!("../lua/sessions.lua")),
            scan: script(include_str!("../lua/scan.lua")),
            transitions: script(include_str!("../lua/transitions.lua")),
            projected: script(include_str!("../lua/projected.lua")),
            trim: script(include_str!("../lua/trim.lua")),
            restate: script(include_str!("../lua/restate.lua")),
            epoch: script(include_str!("../lua/epoch.lua")),
            present: script(include_str!("../lua/present.lua")),
            idle: script(include_str!("../lua/idle.lua")),
            relate: script(include_str!("../lua/relate.lua")),
            snapshot: script(include_str!("../lua/snapshot.lua")),
        }
    }
}

-- What every script but touch begins with: the keys, a user's value, and the stream. settling.lua and reading.lua follow
-- it. KEYS of every such script:
--   1 sessions      sorted set  member "user:session:timeout_ms", score its deadline in ms; "…timeout_msl" where the
--                               session said that it is leaving, and has this grace for a timeout
--   2 users         hash        user -> "reason|gone|session:timeout_ms,..." while the user has unsettled sessions;
--                               reason: l (login) or h (heartbeat), gone: newest sign of life of sessions that left.
--                               Of a session, an l as above, and an i where its device is idle. After that, where the
--                               user's profile is not the plain one, "|choice privacy|ends|words"
--   3 unprojected   hash        user -> "id|online|at|last_seen|reason", its last transition, until the database has it
--   4 transitions   stream      every transition (u o a l r s, and x where the session's own last sign of life is not
--                               the user's; v w p where what is shown, its words and who may see it are not the plain
--                               ones), every change of what an online user shows (the same, and c), every session that
--                               left beside others or unseen (u s l), every change of who may see what (u q p), and
--                               every change between two users (u t)
--   5 epoch         string      "shards:born_us"
--   6 hidden        set         users who are invisible and have unsettled sessions
--   7 limited       set         the others who have, and whom not everyone may see to be online
--   8 away          set         the others who have, and are away
--   9 dnd           set         the others who have, and are not to be disturbed
--  10 choices       sorted set  user -> when its choice ends, of users who have unsettled sessions and such a choice
-- ARGV[1] of every such script that writes: the number of shards this process is set to.
-- The function clock() stands before this text.

local SESSIONS, USERS, UNPROJECTED, TRANSITIONS, EPOCH = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local HIDDEN, LIMITED, AWAY, DND, CHOICES = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local REASONS = { l = 'login', h = 'heartbeat' }

-- What is chosen and shown: a letter each.
local AVAILABLE, IDLE, BUSY, INVISIBLE = 'a', 'w', 'd', 'i'
-- Who may see online, and last seen: a letter each of e (everyone), c (contacts), n (nobody).
local EVERYONE = 'ee'

local function int(n)
  return string.format('%.0f', n)
end

-- The epoch, made where there is none; an error where the data were laid out for another number of shards.
local function guard(shards)
  local epoch = redis.call('GET', EPOCH)
  if not epoch then
    local t = redis.call('TIME')
    epoch = shards .. ':' .. t[1] .. string.format('%06d', tonumber(t[2]))
    redis.call('SET', EPOCH, epoch)
  end
  local stored = string.match(epoch, '^(%d+):')
  if stored ~= shards then
    return redis.error_reply('SHARDS ' .. tostring(stored))
  end
end

-- A session with the user before it as its member; the user's value has the same of it, and whether it is idle.
local function text_of(session)
  return session.id .. ':' .. int(session.timeout) .. session.mark
end

local function member(user, session)
  return user .. ':' .. text_of(session)
end

-- The part of a list that begins at `from`: Lua passes no more than some thousands of arguments to a command.
local PART = 1000
local function part(list, from)
  return unpack(list, from, math.min(from + PART - 1, #list))
end

-- Gives found the profile that this text tells, but for a choice that has ended by `now`: choice, privacy, words as they
-- are (JSON, or empty), and ends, the end of the choice, or nil.
local function adopt(found, text, now)
  if not text or text == '' then
    found.choice, found.privacy, found.words, found.ends = AVAILABLE, EVERYONE, '', nil
    return
  end
  local choice, privacy, ends, words = string.match(text, '^(%a)(%a%a)|(%d*)|(.*)$')
  found.choice, found.privacy, found.words = choice or AVAILABLE, privacy or EVERYONE, words or ''
  found.ends = tonumber(ends or nil)
  if found.ends and found.ends <= now then
    found.choice, found.words, found.ends = AVAILABLE, '', nil
  end
end

local function profile_of(found)
  if found.choice == AVAILABLE and found.words == '' and found.privacy == EVERYONE then
    return ''
  end
  return found.choice .. found.privacy .. '|' .. (found.ends and int(found.ends) or '') .. '|' .. found.words
end

-- What is shown of a user who has chosen so, and of whose devices somebody has touched one lately or not.
local function shown(choice, awake)
  return choice == AVAILABLE and not awake and IDLE or choice
end

local function any_awake(found)
  for _, session in ipairs(found.sessions) do
    if not session.idle then
      return true
    end
  end
  return false
end

-- The sets that such a user is in: a plain one in none.
local NO_SETS = {}
local function sets_of(found)
  local availability = shown(found.choice, any_awake(found))
  if availability == AVAILABLE and found.privacy == EVERYONE then
    return NO_SETS
  end
  if availability == INVISIBLE then
    return { [HIDDEN] = true }
  end
  return {
    [LIMITED] = string.sub(found.privacy, 1, 1) ~= 'e',
    [AWAY] = availability == IDLE,
    [DND] = availability == BUSY,
  }
end

-- A user who has come to nothing yet. All fields at once: a table that grows costs more than the rest of a lookup.
local function newcomer(reason)
  return {
    reason = reason, gone = 0, sessions = {}, sets = NO_SETS, choice = AVAILABLE, privacy = EVERYONE, words = '',
  }
end

-- A user's sessions and profile: { reason, gone, sessions = { { id, timeout, mark, idle, deadline } }, choice, privacy,
-- words, ends }, or nil where it has none. The mark is l where the session is leaving, and empty else. The sets that the
-- user is in, and the end that choices has of it, are kept beside, in sets and listed_end. `value` is the user's, where it
-- has been read already: false where it has none.
local function held(user, value)
  if value == nil then
    value = redis.call('HGET', USERS, user)
  end
  if not value then
    return nil
  end
  local reason, gone, list, profile = string.match(value, '^(%a)|(%d*)|([^|]*)|?(.*)$')
  local found = newcomer(reason)
  found.gone = tonumber(gone) or 0
  adopt(found, profile, 0)
  local members = {}
  for id, timeout, mark, idle in string.gmatch(list, '(%d+):(%d+)(l?)(i?)') do
    local session = { id = id, timeout = tonumber(timeout), mark = mark, idle = idle == 'i', deadline = 0 }
    found.sessions[#found.sessions + 1] = session
    members[#members + 1] = member(user, session)
  end
  for from = 1, #members, PART do
    for i, score in ipairs(redis.call('ZMSCORE', SESSIONS, part(members, from))) do
      found.sessions[from + i - 1].deadline = tonumber(score or 0)
    end
  end
  found.sets, found.listed_end = sets_of(found), found.ends
  return found
end

local function seen(session)
  return math.max(session.deadline - session.timeout, 0)
end

-- The newest sign of life since the user came to have sessions.
local function newest_of(found)
  local newest = found.gone
  for _, session in ipairs(found.sessions) do
    newest = math.max(newest, seen(session))
  end
  return newest
end

-- Writes a user's value and what follows from it, or removes it where no session is left: the one place that does.
local function keep(user, found)
  local sets, ends = NO_SETS, nil
  if #found.sessions == 0 then
    redis.call('HDEL', USERS, user)
  else
    local parts = {}
    for i, session in ipairs(found.sessions) do
      parts[i] = text_of(session) .. (session.idle and 'i' or '')
    end
    local gone = found.gone > 0 and int(found.gone) or ''
    local value = found.reason .. '|' .. gone .. '|' .. table.concat(parts, ',')
    local profile = profile_of(found)
    redis.call('HSET', USERS, user, profile == '' and value or value .. '|' .. profile)
    sets, ends = sets_of(found), found.ends
  end
  -- Nothing of it concerns a user who is and was a plain one.
  for _, set in ipairs({ HIDDEN, LIMITED, AWAY, DND }) do
    if sets[set] and not found.sets[set] then
      redis.call('SADD', set, user)
    elseif found.sets[set] and not sets[set] then
      redis.call('SREM', set, user)
    end
  end
  if ends ~= found.listed_end then
    if ends then
      redis.call('ZADD', CHOICES, ends, user)
    else
      redis.call('ZREM', CHOICES, user)
    end
  end
  found.sets, found.listed_end = sets, ends
end

-- Appends an entry about a user's presence: { u, online, at, last_seen, reason, session, own }, with what is shown then.
-- It is a transition, and readers are told of it until the database has it, or, with `stays`, only a change of what is
-- shown.
local function emit(user, found, told, stays)
  local last_seen = int(told.last_seen)
  local entry = {
    'u', user, 'o', told.online and '1' or '0', 'a', int(told.at), 'l', last_seen, 'r', told.reason,
    's', told.session or '',
  }
  local function add(field, value)
    entry[#entry + 1] = field
    entry[#entry + 1] = value
  end
  if told.own and told.own ~= told.last_seen then
    add('x', int(told.own))
  end
  if told.online then
    local availability = told.availability or shown(found.choice, any_awake(found))
    if availability ~= AVAILABLE then
      add('v', availability)
    end
    if found.words ~= '' then
      add('w', found.words)
    end
  end
  if found.privacy ~= EVERYONE then
    add('p', found.privacy)
  end
  if stays then
    add('c', '1')
  end
  local id = redis.call('XADD', TRANSITIONS, '*', unpack(entry))
  if not stays then
    redis.call('HSET', UNPROJECTED, user,
      id .. '|' .. entry[4] .. '|' .. entry[6] .. '|' .. last_seen .. '|' .. told.reason)
  end
end

-- What every script but touch begins with: the keys, a user's value, and the stream. settling.lua and reading.lua follow
-- it. KEYS of every such script:
--   1 deadlines     hash        "user:session" -> "deadline:timeout", of 13 digits in ms, and in ms; with an l behind it
--                               where the session said that it is leaving, and has this grace for a timeout
--   2 unprojected   hash        user -> "id|online|at|last_seen|reason", its last transition, until the database has it
--   3 transitions   stream      every transition (u o a l r s, and x where the session's own last sign of life is not
--                               the user's; v w p where what is shown, its words and who may see it are not the plain
--                               ones), every change of what an online user shows (the same, and c), every session that
--                               left beside others or unseen (u s l), every change of who may see what (u q p), and
--                               every change between two users (u t)
--   4 epoch         string      "shards:born_us"
--   5 hidden        set         users who are invisible and have unsettled sessions
--   6 limited       set         the others who have, and whom not everyone may see to be online
--   7 away          set         the others who have, and are away
--   8 dnd           set         the others who have, and are not to be disturbed
--   9 groups        hash        group -> a line for each of its users who have unsettled sessions, and a line feed before
--                               the first: "user=reason|gone|session,..."; reason: l (login) or h (heartbeat), gone:
--                               newest sign of life of sessions that left. Behind a session an i where its device is
--                               idle. After that, where the user's profile is not the plain one, "|choice
--                               privacy|ends|words"; words are JSON, so no line feed is in them. What would be
--                               "user=reason||session", as of nearly all, is "user:session=reason". And "n" -> how many
--                               such users there are in all groups
--  10 due           sorted set  group -> a lower bound of when one of its sessions or choices next ends: heartbeats do not
--                               touch it, so whoever finds it passed looks at the group, and sets it anew
-- ARGV[1] of every such script that writes: the number of shards this process is set to.
-- The function clock() stands before this text.

local DEADLINES, UNPROJECTED, TRANSITIONS, EPOCH = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local HIDDEN, LIMITED, AWAY, DND = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local GROUPS, DUE = KEYS[9], KEYS[10]
local REASONS = { l = 'login', h = 'heartbeat' }

-- What is chosen and shown: a letter each.
local AVAILABLE, IDLE, BUSY, INVISIBLE = 'a', 'w', 'd', 'i'
-- Who may see online, and last seen: a letter each of e (everyone), c (contacts), n (nobody).
local EVERYONE = 'ee'

local function int(n)
  return string.format('%d', n)
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

-- Lua passes no more than some thousands of arguments to a command, so long lists go in parts.
local PART = 1000
local function part(list, from)
  return unpack(list, from, math.min(from + PART - 1, #list))
end

local function in_parts(command, key, list)
  for from = 1, #list, PART do
    redis.call(command, key, part(list, from))
  end
end

-- What a hash has of all these fields, in their order: false where it has none.
local function all_of(key, fields)
  if #fields <= PART then
    return #fields > 0 and redis.call('HMGET', key, unpack(fields)) or {}
  end
  local values = {}
  for from = 1, #fields, PART do
    for i, value in ipairs(redis.call('HMGET', key, part(fields, from))) do
      values[from + i - 1] = value
    end
  end
  return values
end

-- While this is a table, what put(), drop() and write() are given waits for flush(): a script that settles many users writes
-- it in a few commands.
local later

local function put(key, field, value)
  if not later then
    redis.call('HSET', key, field, value)
    return
  end
  local list = later.put[key] or {}
  later.put[key] = list
  list[#list + 1] = field
  list[#list + 1] = value
end

local function drop(key, fields)
  if not later then
    in_parts('HDEL', key, fields)
    return
  end
  local list = later.drop[key] or {}
  later.drop[key] = list
  for _, field in ipairs(fields) do
    list[#list + 1] = field
  end
end

-- Users are spread over so many groups of a shard: some eight to each with a quarter of a million of them.
local GROUP_COUNT = 32768
local function group_of(user)
  return int(math.floor(tonumber(user) * 0.6180339887498949 % 1 * GROUP_COUNT))
end

-- What has been read of groups, and written since.
local texts = {}
local NOBODY = '\n'

-- A group's text, of which the command says nothing where nobody is in it.
local function text_of(group)
  local text = texts[group] or redis.call('HGET', GROUPS, group) or NOBODY
  texts[group] = text
  return text
end

-- Where a user's line stands in its group's text: the place before it, and the place of the sign behind the user; or nil.
local function line_in(text, user)
  local start = '\n' .. user
  local from, to = string.find(text, start .. ':', 1, true)
  if not from then
    from, to = string.find(text, start .. '=', 1, true)
  end
  return from, to
end

-- A user's value in its group's text, or nil.
local function value_in(text, user)
  local _, to = line_in(text, user)
  if to then
    local id, value = string.match(text, '^(%d*)=([^\n]*)', to + (string.byte(text, to) == 58 and 1 or 0))
    return id == '' and value or value .. '||' .. id
  end
end

-- What stands of each of these users, in their order: of one with one session and the plain profile, that session's member and
-- "reason|gone"; of others false, and the value, or false where one has none.
local function standing_of(users, from, to)
  local groups, members, values = {}, {}, {}
  for i = from, to do
    groups[i - from + 1] = group_of(users[i])
  end
  for i, text in ipairs(redis.call('HMGET', GROUPS, unpack(groups))) do
    members[i], values[i] = false, false
    if text then
      local user = users[from + i - 1]
      local member, reason = string.match(text, '\n(' .. user .. ':%d+)=(%a)')
      if member then
        members[i], values[i] = member, reason .. '|'
      else
        local _, to = string.find(text, '\n' .. user .. '=', 1, true)
        if to then
          local value = string.match(text, '^[^\n]*', to + 1)
          local with_gone, id = string.match(value, '^(%a|%d+)|(%d+)$')
          members[i], values[i] = id and user .. ':' .. id or false, with_gone or value
        end
      end
    end
  end
  return members, values
end

-- Gives a user a value, or takes it out of its group where that is nil: the one place that does.
local function write(user, value)
  local group = group_of(user)
  local text = text_of(group)
  local from, to = line_in(text, user)
  if not from and not value then
    return
  end
  local line = ''
  if value then
    local reason, id = string.match(value, '^(%a)||(%d+)$')
    line = (reason and user .. ':' .. id .. '=' .. reason or user .. '=' .. value) .. '\n'
  end
  if from then
    local last = string.find(text, '\n', to, true)
    text = string.sub(text, 1, from) .. line .. string.sub(text, last + 1)
  else
    text = text .. line
  end
  texts[group] = text
  local by = (value and 1 or 0) - (from and 1 or 0)
  if later then
    later.groups[group] = true
    later.by = later.by + by
    return
  end
  if text == NOBODY then
    redis.call('HDEL', GROUPS, group)
    redis.call('ZREM', DUE, group)
  else
    redis.call('HSET', GROUPS, group, text)
  end
  if by ~= 0 then
    redis.call('HINCRBY', GROUPS, 'n', by)
  end
end

-- From now on writes wait.
local function wait_to_write()
  later = { put = {}, drop = {}, groups = {}, by = 0 }
end

-- Writes what has waited. When a group is to be looked at next is look()'s to write.
local function flush()
  local waited = later
  later = nil
  for key, list in pairs(waited.put) do
    in_parts('HSET', key, list)
  end
  for key, list in pairs(waited.drop) do
    in_parts('HDEL', key, list)
  end
  local left, empty = {}, {}
  for group in pairs(waited.groups) do
    if texts[group] == NOBODY then
      empty[#empty + 1] = group
    else
      left[#left + 1] = group
      left[#left + 1] = texts[group]
    end
  end
  in_parts('HSET', GROUPS, left)
  in_parts('HDEL', GROUPS, empty)
  if waited.by ~= 0 then
    redis.call('HINCRBY', GROUPS, 'n', waited.by)
  end
end

local function member(user, session)
  return user .. ':' .. session.id
end

-- The deadline that stands in a value of deadlines. Of part of the data that was lost it is 0.
local function deadline_in(value)
  return value and tonumber(string.sub(value, 1, 13)) or 0
end

-- Writes a session's deadline. Whoever calls this calls keep() afterwards.
local function hold(user, session)
  local value = string.format('%013d', session.deadline) .. ':' .. int(session.timeout) .. session.mark
  redis.call('HSET', DEADLINES, member(user, session), value)
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

-- A user's sessions and profile as its value tells them, and the sessions' members, whose deadlines are not known yet.
local function parsed(user, value)
  local reason, gone, list, profile = string.match(value, '^(%a)|(%d*)|([^|]*)|?(.*)$')
  local found = newcomer(reason)
  found.gone = tonumber(gone) or 0
  adopt(found, profile, 0)
  local members = {}
  for id, idle in string.gmatch(list, '(%d+)(i?)') do
    members[#members + 1] = user .. ':' .. id
    found.sessions[#members] = { id = id, timeout = 0, mark = '', idle = idle == 'i', deadline = 0 }
  end
  found.sets = sets_of(found)
  return found, members
end

-- Gives a session what deadlines has of it: nothing, where part of the data was lost.
local function date(session, value)
  if value then
    local deadline, timeout, mark = string.match(value, '^(%d+):(%d+)(l?)$')
    session.deadline, session.timeout, session.mark = tonumber(deadline), tonumber(timeout), mark
  end
end

-- A user's sessions and profile: { reason, gone, sessions = { { id, timeout, mark, idle, deadline } }, choice, privacy,
-- words, ends }, or nil where it has none. The mark is l where the session is leaving, and empty else. The sets that the
-- user is in are kept beside, in sets. `value` is the user's, where it has been read already.
local function held(user, value)
  value = value or value_in(text_of(group_of(user)), user)
  if not value then
    return nil
  end
  local found, members = parsed(user, value)
  for i, held_of in ipairs(all_of(DEADLINES, members)) do
    date(found.sessions[i], held_of)
  end
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

-- When the first of a user's sessions, or its choice, ends.
local function first_end(found)
  local first = found.ends or math.huge
  for _, session in ipairs(found.sessions) do
    first = math.min(first, session.deadline)
  end
  return first
end

-- Sees to it that somebody looks at this user then.
local function watch(user, found)
  redis.call('ZADD', DUE, 'LT', first_end(found), group_of(user))
end

-- Writes a user's value and what follows from it, or removes it where no session is left: the one place that does.
local function keep(user, found)
  local sets = NO_SETS
  if #found.sessions == 0 then
    write(user, nil)
  else
    local ids = {}
    for i, session in ipairs(found.sessions) do
      ids[i] = session.id .. (session.idle and 'i' or '')
    end
    local gone = found.gone > 0 and int(found.gone) or ''
    local value = found.reason .. '|' .. gone .. '|' .. table.concat(ids, ',')
    local profile = profile_of(found)
    write(user, profile == '' and value or value .. '|' .. profile)
    if not later then
      watch(user, found)
    end
    sets = sets_of(found)
  end
  -- Nothing of it concerns a user who is and was a plain one.
  for _, set in ipairs({ HIDDEN, LIMITED, AWAY, DND }) do
    if sets[set] and not found.sets[set] then
      redis.call('SADD', set, user)
    elseif found.sets[set] and not sets[set] then
      redis.call('SREM', set, user)
    end
  end
  found.sets = sets
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
    put(UNPROJECTED, user, id .. '|' .. entry[4] .. '|' .. entry[6] .. '|' .. last_seen .. '|' .. told.reason)
  end
end

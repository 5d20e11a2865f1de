-- What readers are answered, without changing anything. Stands after settling.lua.

-- What settling this user would lead to: what everybody is to know of it, { 1, until, last_seen, reason, availability,
-- words } online or { 2, at, last_seen, reason } offline; or, of one who has been invisible for as long as it counts,
-- nil, and what is true, where a session is live.
local function surveyed(found, now)
  local farthest, newest, awake = 0, found.gone, false
  for _, session in ipairs(found.sessions) do
    farthest = math.max(farthest, session.deadline)
    newest = math.max(newest, seen(session))
    awake = awake or (session.deadline > now and not session.idle)
  end
  local ended = found.ends and found.ends <= now
  -- A choice that ended while a session was live made its user come online then.
  local hidden = found.choice == INVISIBLE and not (ended and found.ends < farthest)
  if farthest <= now then
    if hidden then
      return nil
    end
    return { 2, math.max(farthest, newest), newest, 'timeout' }
  end
  local choice, words, reason = found.choice, found.words, REASONS[found.reason]
  if ended then
    reason = choice == INVISIBLE and REASONS.l or reason
    choice, words = AVAILABLE, ''
  end
  local answer = { 1, farthest, newest, reason, shown(choice, awake), words }
  if hidden then
    return nil, answer
  end
  return answer
end

-- What is known of a user: { 0 } settled, or as surveyed() answers; and the truth about one who is invisible.
local function known(user, now, found)
  found = found or held(user)
  local truth
  if found and #found.sessions > 0 then
    local public
    public, truth = surveyed(found, now)
    if public then
      return public
    end
  end
  local last = redis.call('HGET', UNPROJECTED, user)
  if last then
    local online, at, last_seen, reason = string.match(last, '^[^|]*|(%d)|(%d+)|(%d+)|(.*)$')
    if online == '0' then
      return { 2, tonumber(at), tonumber(last_seen), reason }, truth
    end
  end
  return { 0 }, truth
end

-- The same as a reader is sent it: with the truth about an invisible user, { 9, what is known, what is true }.
local function known_with_truth(user, now)
  local public, truth = known(user, now)
  if truth then
    return { 9, public, truth }
  end
  return public
end

-- Users with sessions past their deadline, the longest overdue first, or with a choice past its end, each once; the
-- members of those sessions, and the users of those choices. Of sessions and choices together at most `most`.
local function overdue(now, most)
  local members = redis.call('ZRANGE', SESSIONS, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)
  local choosers = redis.call('ZRANGE', CHOICES, '-inf', now, 'BYSCORE', 'LIMIT', 0, most - #members)
  local users, met = {}, {}
  local function add(user)
    if not met[user] then
      met[user] = true
      users[#users + 1] = user
    end
  end
  for _, text in ipairs(members) do
    add(string.match(text, '^(%d+):'))
  end
  for _, user in ipairs(choosers) do
    add(user)
  end
  return users, members, choosers
end

-- How many users are online, and how many of them not everyone may see, are away, and are not to be disturbed: those who
-- hold sessions and are in the sets, corrected by whatever is overdue. { -1 } where that is `most` or more: sweep first.
local function counts(now, most)
  local users, members, choosers = overdue(now, most)
  if #members + #choosers >= most then
    return { -1 }
  end
  local size = function(set)
    return redis.call('SCARD', set)
  end
  local answer = { redis.call('HLEN', USERS) - size(HIDDEN), size(LIMITED), size(AWAY), size(DND) }
  local function count(by, limited, away, dnd)
    answer[1] = answer[1] + by
    answer[2] = answer[2] + (limited and by or 0)
    answer[3] = answer[3] + (away and by or 0)
    answer[4] = answer[4] + (dnd and by or 0)
  end
  for _, user in ipairs(users) do
    local found = held(user)
    if found then
      if not found.sets[HIDDEN] then
        count(-1, found.sets[LIMITED], found.sets[AWAY], found.sets[DND])
      end
      local public = known(user, now, found)
      if public[1] == 1 then
        count(1, string.sub(found.privacy, 1, 1) ~= 'e', public[5] == IDLE, public[5] == BUSY)
      end
    end
  end
  return answer
end

-- A user's sessions as numbers, four of each.
local function listed(found)
  local answer = {}
  for i, session in ipairs(found.sessions) do
    answer[i * 4 - 3] = tonumber(session.id)
    answer[i * 4 - 2] = session.timeout
    answer[i * 4 - 1] = session.deadline
    answer[i * 4] = session.idle and 1 or 0
  end
  return answer
end

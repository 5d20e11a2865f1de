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

-- What the database does not say yet of a user who holds no session, by its value in unprojected: as surveyed() answers,
-- or { 0 } settled.
local function lately(last)
  if last then
    local online, at, last_seen, reason = string.match(last, '^[^|]*|(%d)|(%d+)|(%d+)|(.*)$')
    if online == '0' then
      return { 2, tonumber(at), tonumber(last_seen), reason }
    end
  end
  return { 0 }
end

-- What is known of a user: { 0 } settled, or as surveyed() answers; and the truth about one who is invisible.
local function known(user, now, found)
  local truth
  if found and #found.sessions > 0 then
    local public
    public, truth = surveyed(found, now)
    if public then
      return public
    end
  end
  return lately(redis.call('HGET', UNPROJECTED, user)), truth
end

-- What is known of the users of a list from `from` on, in its order: as known() answers it, or { 9, that, what is true } of
-- an invisible one; or, in short, 0 of one who is settled, and "value@deadline:timeout" of a plain one whose only session
-- is live.
-- Nearly everybody is one of these two. They are read all at once: a command for each, and a table, would cost more than
-- all the rest. Where `settled` is given, it is called for each of the others who hold sessions, and answers what is left.
local function known_of(users, from, now, settled)
  local answer = {}
  for first = from, #users, PART do
    local values = redis.call('HMGET', USERS, part(users, first))
    local members, plain, others, absent, gone = {}, {}, {}, {}, {}
    for i, value in ipairs(values) do
      -- In order, so that it grows as a list.
      answer[first - from + i] = 0
      local session = value and string.match(value, '^%a|%d*|(%d+)$')
      if session then
        members[#members + 1] = users[first + i - 1] .. ':' .. session
        plain[#plain + 1] = i
      elseif value then
        others[#others + 1] = i
      else
        absent[#absent + 1] = users[first + i - 1]
        gone[#gone + 1] = i
      end
    end
    if #members > 0 then
      for j, held_of in ipairs(redis.call('HMGET', DEADLINES, unpack(members))) do
        local i = plain[j]
        if deadline_in(held_of) > now then
          answer[first - from + i] = values[i] .. '@' .. held_of
        else
          others[#others + 1] = i
        end
      end
    end
    if #absent > 0 then
      for j, last in ipairs(redis.call('HMGET', UNPROJECTED, unpack(absent))) do
        if last then
          answer[first - from + gone[j]] = lately(last)
        end
      end
    end
    for _, i in ipairs(others) do
      local user, found = users[first + i - 1], nil
      if settled then
        found = settled(user, now, nil)
      else
        found = held(user, values[i])
      end
      local public, truth = known(user, now, found)
      answer[first - from + i] = truth and { 9, public, truth } or public
    end
  end
  return answer
end

-- Looks at groups of which something may have ended, at most so many: notes who is late, and until when the others are
-- not to be looked at. Answers whether more groups are to be looked at.
local function look(now, most)
  local groups = redis.call('ZRANGE', DUE, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)
  if #groups == 0 then
    return false
  end
  local users, group_at = {}, {}
  for i, text in ipairs(all_of(GROUPS, groups)) do
    for user in string.gmatch(text or '', '%d+') do
      users[#users + 1] = user
      group_at[#users] = i
    end
  end
  local first_late, first_ahead = {}, {}
  local function met(i, moment)
    local group = group_at[i]
    if moment <= now then
      first_late[i] = math.min(first_late[i] or math.huge, moment)
    else
      first_ahead[group] = math.min(first_ahead[group] or math.huge, moment)
    end
  end
  local members, user_at = {}, {}
  for i, value in ipairs(all_of(USERS, users)) do
    -- As nearly everybody's is.
    local only = value and string.match(value, '^%a|%d*|(%d+)$')
    if only then
      members[#members + 1] = users[i] .. ':' .. only
      user_at[#members] = i
    elseif value then
      local list, profile = string.match(value, '^%a|%d*|([^|]*)|?(.*)$')
      for id in string.gmatch(list, '%d+') do
        members[#members + 1] = users[i] .. ':' .. id
        user_at[#members] = i
      end
      local ends = tonumber(string.match(profile, '^%a+|(%d+)|') or nil)
      if ends then
        met(i, ends)
      end
    end
  end
  for i, held_of in ipairs(all_of(DEADLINES, members)) do
    met(user_at[i], deadline_in(held_of))
  end
  local late, ahead, silent = {}, {}, {}
  for i, moment in pairs(first_late) do
    late[#late + 1] = moment
    late[#late + 1] = users[i]
  end
  for i, group in ipairs(groups) do
    if first_ahead[i] then
      ahead[#ahead + 1] = first_ahead[i]
      ahead[#ahead + 1] = group
    else
      silent[#silent + 1] = group
    end
  end
  in_parts('ZADD', LATE, late)
  in_parts('ZADD', DUE, ahead)
  in_parts('ZREM', DUE, silent)
  return #groups == most
end

-- Users with sessions past their deadline, or a choice past its end, the longest overdue first, at most so many; and
-- whether there may be more.
local function overdue(now, most)
  local more = look(now, most)
  local users = redis.call('ZRANGE', LATE, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)
  return users, more or #users >= most
end

-- How many users are online, and how many of them not everyone may see, are away, and are not to be disturbed: those who
-- hold sessions and are in the sets, corrected by whatever is overdue. { -1 } where too much is, for `most`: sweep first.
local function counts(now, most)
  local users, more = overdue(now, most)
  if more then
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

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
-- an invisible one; or, in short, 0 of one who is settled, and "reason|gone@deadline:timeout" of a plain one whose only session
-- is live.
-- Nearly everybody is one of these two. They are read all at once: a command for each, and a table, would cost more than
-- all the rest. Where `settled` is given, it is called for each of the others who hold sessions, and answers what is left.
local function known_of(users, from, now, settled)
  local answer = {}
  for first = from, #users, PART do
    local standing, values = standing_of(users, first, math.min(first + PART - 1, #users))
    local members, plain, others, absent, gone = {}, {}, {}, {}, {}
    for i, value in ipairs(values) do
      -- In order, so that it grows as a list.
      answer[first - from + i] = 0
      if standing[i] then
        members[#members + 1] = standing[i]
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
          values[i] = false
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
        found = held(user, values[i] or nil)
      end
      local public, truth = known(user, now, found)
      answer[first - from + i] = truth and { 9, public, truth } or public
    end
  end
  return answer
end

-- Looks at the groups of which something may have ended, at most so many, and notes until when none of them is to be looked
-- at again. Of whom something has ended, met(user, moment, found, id, held_of) is told, with when the first of it did: of a
-- plain user with the one session that it has, and what deadlines has of that; of others with what is held, as held()
-- answers it. It answers when the first of what it leaves of the user ends, or nil. Answers how many groups it looked at.
local function look(now, most, met)
  local groups = redis.call('ZRANGE', DUE, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)
  if #groups == 0 then
    return 0
  end
  -- Of each user: its group, its member or id, what is held where it is not a plain one, and the place of its first
  -- member. Lists, since a table for each would cost more than all the rest.
  local group_at, keys, founds, places, members = {}, {}, {}, {}, {}
  local count, last = 0, 0
  for i, text in ipairs(all_of(GROUPS, groups)) do
    texts[groups[i]] = text or NOBODY
    for key, value in string.gmatch(text or '', '([%d:]+)=([^\n]*)') do
      count = count + 1
      group_at[count], keys[count], places[count] = i, key, last + 1
      -- A plain user's is a letter.
      if #value == 1 then
        last = last + 1
        members[last], founds[count] = key, false
      else
        local mine
        founds[count], mine = parsed(key, value)
        for _, text_of_member in ipairs(mine) do
          last = last + 1
          members[last] = text_of_member
        end
      end
    end
  end
  local dates, first = all_of(DEADLINES, members), {}
  for n = 1, count do
    local found, held_of, moment = founds[n], dates[places[n]], nil
    if found then
      for i, session in ipairs(found.sessions) do
        date(session, dates[places[n] + i - 1])
      end
      moment = first_end(found)
    else
      moment = deadline_in(held_of)
    end
    if moment <= now then
      local user, id = string.match(keys[n], '^(%d+):?(%d*)$')
      if not found and not held_of then
        -- Part of the data was lost.
        found = held(user)
      end
      moment = met(user, moment, found, id, held_of)
    end
    local group = group_at[n]
    if moment and moment < (first[group] or math.huge) then
      first[group] = moment
    end
  end
  local ahead, silent = {}, {}
  for i, group in ipairs(groups) do
    if first[i] then
      ahead[#ahead + 1] = first[i]
      ahead[#ahead + 1] = group
    else
      silent[#silent + 1] = group
    end
  end
  in_parts('ZADD', DUE, ahead)
  in_parts('ZREM', DUE, silent)
  return #groups
end

-- Who is to be swept: { user, what is held of it, … }; or nil where they are more than `most`, or stand in more groups
-- than that. All of them stay to be swept.
local function overdue(now, most)
  local late = {}
  local looked = look(now, most + 1, function(user, moment, found, id, held_of)
    if #late <= most * 2 then
      if not found then
        found = newcomer('l')
        found.sessions[1] = { id = id, timeout = 0, mark = '', idle = false, deadline = 0 }
        date(found.sessions[1], held_of)
      end
      late[#late + 1] = user
      late[#late + 1] = found
    end
    return moment
  end)
  if looked <= most and #late <= most * 2 then
    return late
  end
end

-- How many users are online, and how many of them not everyone may see, are away, and are not to be disturbed: those who
-- hold sessions and are in the sets, corrected by whoever is overdue. { -1 } where too much is: sweep first.
local function counts(now, late)
  if not late then
    return { -1 }
  end
  local size = function(set)
    return redis.call('SCARD', set)
  end
  local holding = tonumber(redis.call('HGET', GROUPS, 'n') or 0)
  local answer = { holding - size(HIDDEN), size(LIMITED), size(AWAY), size(DND) }
  local function count(by, limited, away, dnd)
    answer[1] = answer[1] + by
    answer[2] = answer[2] + (limited and by or 0)
    answer[3] = answer[3] + (away and by or 0)
    answer[4] = answer[4] + (dnd and by or 0)
  end
  for i = 1, #late, 2 do
    local user, found = late[i], late[i + 1]
    if not found.sets[HIDDEN] then
      count(-1, found.sets[LIMITED], found.sets[AWAY], found.sets[DND])
    end
    local public = known(user, now, found)
    if public[1] == 1 then
      count(1, string.sub(found.privacy, 1, 1) ~= 'e', public[5] == IDLE, public[5] == BUSY)
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

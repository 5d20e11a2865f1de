-- What time does to a user, and who is told. Stands after prelude.lua.

-- Of two sessions, whether a stops counting before b: by their deadlines, and of equal ones by their ids.
local function sooner(a, b)
  return a.deadline < b.deadline or (a.deadline == b.deadline and tonumber(a.id) < tonumber(b.id))
end

-- What is shown of a user at this moment: { availability, words }.
local function view(found)
  return { shown(found.choice, any_awake(found)), found.words }
end

-- Tells what has come, at the moment `at`, of a user of whom `before` was shown and `after` is: nothing, where that is
-- the same, or where nobody saw it before and nobody does after.
local function tell(user, found, before, after, at)
  local newest = newest_of(found)
  if before[1] == INVISIBLE and after[1] == INVISIBLE then
    return
  end
  if after[1] == INVISIBLE then
    -- Nobody goes offline before the last sign of life: a clock that was set back would have it so.
    emit(user, found, { at = math.max(at, newest), last_seen = newest, reason = 'logout' })
    return
  end
  -- Heartbeats may have come after a moment that is noticed only now.
  local told = { online = true, at = at, last_seen = math.min(newest, at), availability = after[1] }
  if before[1] == INVISIBLE then
    found.reason = 'l'
    told.reason = REASONS.l
    -- As a log-in of the session that was seen last: nobody is to tell the one from the other.
    local last
    for _, session in ipairs(found.sessions) do
      if not last or seen(session) > seen(last)
        or (seen(session) == seen(last) and tonumber(session.id) > tonumber(last.id)) then
        last = session
      end
    end
    if last then
      told.session, told.own = last.id, math.min(seen(last), at)
    end
    emit(user, found, told)
  elseif before[1] ~= after[1] or before[2] ~= after[2] then
    told.reason = REASONS[found.reason]
    emit(user, found, told, true)
  end
end

-- Takes sessions out of found, in the order in which they stop counting, each at its deadline, or all at `at`; and at
-- `ends`, where there is one, the choice. Whoever has none left goes offline, but never before the last sign of life: a
-- clock that was set back or a timeout that was shortened would have it so. Of an invisible user, sessions leave and
-- nothing else is told. Answers whether the user went offline.
local function pass(user, found, leaving, left, at, reason, ends)
  table.sort(leaving, sooner)
  local awake, gone_members = 0, {}
  for _, session in ipairs(found.sessions) do
    awake = awake + (session.idle and 0 or 1)
  end
  for i, session in ipairs(leaving) do
    gone_members[i] = member(user, session)
    found.gone = math.max(found.gone, seen(session))
  end
  drop(DEADLINES, gone_members)
  found.sessions = left
  local i, offline = 1, false
  while leaving[i] or ends do
    local moment = leaving[i] and (at or leaving[i].deadline)
    if ends and not (moment and moment < ends) then
      moment = ends
    end
    local before = { shown(found.choice, awake > 0), found.words }
    while leaving[i] and (at or leaving[i].deadline) == moment do
      local session = leaving[i]
      if i == #leaving and #left == 0 and found.choice ~= INVISIBLE then
        offline = true
        -- A session without a score has no deadline to date by: part of the data was lost.
        local last = at or (session.deadline > 0 and session.deadline or clock())
        local told = { at = math.max(last, found.gone), last_seen = found.gone, reason = reason }
        told.session, told.own = session.id, seen(session)
        emit(user, found, told)
      else
        redis.call('XADD', TRANSITIONS, '*', 'u', user, 's', session.id, 'l', int(seen(session)))
      end
      awake = awake - (session.idle and 0 or 1)
      i = i + 1
    end
    if not leaving[i] and #left == 0 then
      -- Whatever ends from now on ends for nobody.
      break
    end
    if ends == moment then
      found.choice, found.words, found.ends, ends = AVAILABLE, '', nil, nil
    end
    local after = { shown(found.choice, awake > 0), found.words }
    if before[1] == INVISIBLE and after[1] ~= INVISIBLE then
      -- At this moment those were there that leave later.
      found.sessions = {}
      for _, session in ipairs(left) do
        found.sessions[#found.sessions + 1] = session
      end
      for j = i, #leaving do
        found.sessions[#found.sessions + 1] = leaving[j]
      end
    end
    tell(user, found, before, after, moment)
    found.sessions = left
  end
  keep(user, found)
  return offline
end

-- Takes the sessions for which leaves(session) is true out of found, at `at`. Answers whether the user went offline by it.
local function take_out(user, found, leaves, at, reason)
  local leaving, left = {}, {}
  for _, session in ipairs(found.sessions) do
    local list = leaves(session) and leaving or left
    list[#list + 1] = session
  end
  return #leaving > 0 and pass(user, found, leaving, left, at, reason)
end

-- Takes out what has passed its deadline, and a choice that has ended, in the order of their times. Answers what is
-- left, or nil; and whether anything was taken. `found` is the user's, where it has been read already.
local function settle(user, now, found)
  if found == nil then
    found = held(user)
  end
  if not found then
    return nil, false
  end
  local leaving, left = {}, {}
  for _, session in ipairs(found.sessions) do
    local list = session.deadline <= now and leaving or left
    list[#list + 1] = session
  end
  local ends = found.ends and found.ends <= now and found.ends or nil
  local any = #leaving > 0 or ends ~= nil
  if any then
    pass(user, found, leaving, left, nil, 'timeout', ends)
  end
  if #left == 0 then
    return nil, any
  end
  return found, any
end

-- Takes a plain user's only session out, which has passed its deadline, as settle() would: nearly all who are swept are
-- such users, and without the tables it takes a quarter of the time. `held_of` is what deadlines has of the session. Only
-- while writes wait.
local function lapse(user, id, held_of)
  local deadline, timeout = string.match(held_of, '^(%d+):(%d+)')
  deadline = tonumber(deadline)
  local at, seen = int(deadline), int(math.max(deadline - tonumber(timeout), 0))
  local entry = redis.call('XADD', TRANSITIONS, '*', 'u', user, 'o', '0', 'a', at, 'l', seen, 'r', 'timeout', 's', id)
  put(UNPROJECTED, user, entry .. '|0|' .. at .. '|' .. seen .. '|timeout')
  drop(DEADLINES, { user .. ':' .. id })
  write(user, nil)
end

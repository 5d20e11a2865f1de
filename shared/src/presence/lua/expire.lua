-- The sweep: settles users whose sessions have passed their deadline, or whose choice its end.
-- ARGV 1 shards, 2 at most so many users.
-- Answers { of how many users something was taken, whether more may be overdue (1 or 0), ms until the next one may be, or
-- -1 where nothing is held }.
local refused = guard(ARGV[1])
if refused then
  return refused
end
local now, most = clock(), tonumber(ARGV[2])
local users, more = overdue(now, most)
later = { put = {}, drop = {}, quitting = {} }
local plain, ids, members, others = {}, {}, {}, {}
for i, value in ipairs(all_of(USERS, users)) do
  local id = value and string.match(value, '^%a||(%d+)$')
  if id then
    plain[#plain + 1] = users[i]
    ids[#plain], members[#plain] = id, users[i] .. ':' .. id
  else
    others[#others + 1] = users[i]
  end
end
local gone, gone_members = {}, {}
for i, held_of in ipairs(all_of(DEADLINES, members)) do
  if lapse(plain[i], ids[i], held_of, now) then
    gone[#gone + 1], gone_members[#gone + 1] = plain[i], members[i]
  else
    others[#others + 1] = plain[i]
  end
end
drop(USERS, gone)
drop(DEADLINES, gone_members)
local taken = #gone
for i, held_of in ipairs(all_held(others)) do
  local user = others[i]
  local found, any = settle(user, now, held_of)
  taken = taken + (any and 1 or 0)
  if found then
    -- Also where nothing was taken: a clock that was set back has heartbeats bring late sessions back to life.
    watch(user, found)
  end
end
flush()
in_parts('ZREM', LATE, users)
local due = math.huge
for _, set in ipairs({ DUE, LATE }) do
  local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
  due = math.min(due, tonumber(first[2] or math.huge))
end
return { taken, more and 1 or 0, due < math.huge and math.max(due - now, 0) or -1 }

-- The database has followed the transitions up to ARGV 1: forgets what was kept for these users' readers.
-- ARGV 2 where to go on in unprojected (0 first), or - where users are named, 3… users.
-- Answers where to go on, 0 at the end.
local function newer(id, than)
  local id_ms, id_seq = string.match(id, '^(%d+)-(%d+)')
  local than_ms, than_seq = string.match(than, '^(%d+)-(%d+)')
  id_ms, than_ms = tonumber(id_ms), tonumber(than_ms)
  return id_ms > than_ms or (id_ms == than_ms and tonumber(id_seq) > tonumber(than_seq))
end
local function forget(user, value)
  if value and not newer(value, ARGV[1]) then
    redis.call('HDEL', UNPROJECTED, user)
  end
end
if ARGV[2] == '-' then
  for i = 3, #ARGV do
    forget(ARGV[i], redis.call('HGET', UNPROJECTED, ARGV[i]))
  end
  return '0'
end
local page = redis.call('HSCAN', UNPROJECTED, ARGV[2], 'COUNT', 1000)
for i = 1, #page[2], 2 do
  forget(page[2][i], page[2][i + 1])
end
return page[1]

-- The database has followed the transitions up to ARGV 1: forgets what was kept for these users' readers.
-- ARGV 2 where to go on in unprojected (0 first), or - where users are named, 3… users.
-- Answers where to go on, 0 at the end.
local function newer(id, than)
  local id_ms, id_seq = string.match(id, '^(%d+)-(%d+)')
  local than_ms, than_seq = string.match(than, '^(%d+)-(%d+)')
  id_ms, than_ms = tonumber(id_ms), tonumber(than_ms)
  return id_ms > than_ms or (id_ms == than_ms and tonumber(id_seq) > tonumber(than_seq))
end
-- Of a list of user, value, user, value…: forgets those whose value the database has.
local function forget(pairs_of)
  local done = {}
  for i = 1, #pairs_of, 2 do
    local value = pairs_of[i + 1]
    if value and not newer(value, ARGV[1]) then
      done[#done + 1] = pairs_of[i]
    end
  end
  in_parts('HDEL', UNPROJECTED, done)
end
if ARGV[2] == '-' then
  local users, all = { unpack(ARGV, 3) }, {}
  for i, value in ipairs(all_of(UNPROJECTED, users)) do
    all[i * 2 - 1], all[i * 2] = users[i], value
  end
  forget(all)
  return '0'
end
local page = redis.call('HSCAN', UNPROJECTED, ARGV[2], 'COUNT', 1000)
forget(page[2])
return page[1]

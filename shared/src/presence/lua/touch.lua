-- A batch of heartbeats: extends the sessions that are live.
-- KEYS 1 sessions, 2 users. ARGV: members "user:session:timeout_ms", at most 1000.
-- Answers { now, deadline or 0 for each member }. A member whose timeout is not the one that the engine holds (the
-- user has changed it since the token was made) is found by its session. One that said that it is leaving is not known:
-- the connect that follows gives it its timeout back.
local now = clock()
local scores = #ARGV > 0 and redis.call('ZMSCORE', KEYS[1], unpack(ARGV)) or {}
local add, answer = { KEYS[1], 'XX', 'GT' }, { now }
for i, text in ipairs(ARGV) do
  local user, session, timeout = string.match(text, '^(%d+):(%d+):(%d+)$')
  local score = tonumber(scores[i] or nil)
  if not score then
    local value = redis.call('HGET', KEYS[2], user)
    local mark
    if value then
      timeout, mark = string.match(value, '[|,]' .. session .. ':(%d+)(l?)')
    end
    if mark == '' then
      text = user .. ':' .. session .. ':' .. timeout
      score = tonumber(redis.call('ZSCORE', KEYS[1], text) or nil)
    end
  end
  if score and score > now then
    local deadline = math.max(score, now + tonumber(timeout))
    add[#add + 1] = deadline
    add[#add + 1] = text
    answer[i + 1] = deadline
  else
    answer[i + 1] = 0
  end
end
if #add > 3 then
  redis.call('ZADD', unpack(add))
end
return answer

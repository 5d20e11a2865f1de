-- Puts a task that was given up back among those that are due.
--
-- KEYS[1]  set of dead tasks
-- KEYS[2]  hash task -> payload
-- KEYS[3]  prefix of the tasks' metadata hashes
-- KEYS[4]  list of tasks that are due
-- ARGV[1]  the task
--
-- Answers 1, or 0 where there is no such dead task: also when it was put back a moment ago.
local id = ARGV[1]
if redis.call('SREM', KEYS[1], id) == 0 or redis.call('HEXISTS', KEYS[2], id) == 0 then
    return 0
end
local meta = KEYS[3] .. ':' .. id
redis.call('HDEL', meta, 'result', 'done_at')
redis.call('HSET', meta, 'status', 'Pending', 'attempts', 0)
redis.call('RPUSH', KEYS[4], id)
return 1

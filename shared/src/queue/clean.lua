-- Removes finished tasks with their data.
--
-- KEYS[1]  set of finished tasks (done or dead)
-- KEYS[2]  hash task -> payload
-- KEYS[3]  prefix of the tasks' metadata hashes
-- ARGV[1]  how long ago a task must have finished, in seconds
-- ARGV[2..] ids of tasks in KEYS[1]
--
-- Answers how many tasks were removed.
local before = tonumber(redis.call('TIME')[1]) - tonumber(ARGV[1])
local removed = 0
for i = 2, #ARGV do
    local id = ARGV[i]
    local meta = KEYS[3] .. ':' .. id
    local finished = tonumber(redis.call('HGET', meta, 'done_at') or 0)
    -- Membership is asked here, and not by the caller: between its scan and this call another worker may have removed the task.
    if finished <= before and redis.call('SREM', KEYS[1], id) == 1 then
        redis.call('HDEL', KEYS[2], id)
        redis.call('DEL', meta)
        removed = removed + 1
    end
end
return removed

-- wrk: a log-in of another user each time, of USERS whose names are those of lastseen-bench crowd, with PASSWORD.
local threads = 0
function setup(thread) thread:set("place", threads); threads = threads + 1 end
local users, password, at = tonumber(os.getenv("USERS")), os.getenv("PASSWORD"), 0
function init() at = math.floor(users / 2) * place end
function request()
  at = at % users + 1
  local body = string.format('{"username":"user%d","password":"%s"}', 10000000 + at, password)
  return "POST /api/users/login/ HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "result.lua")

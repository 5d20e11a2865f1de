-- wrk: a POST with another user's token each time. TOKENS is the file; threads begin at places far apart. With PACE_US each
-- connection waits so many microseconds before each: what it sends then is not as much as it can.
local threads = 0
function setup(thread) thread:set("place", threads); threads = threads + 1 end
local requests, at = {}, 0
local pace = tonumber(os.getenv("PACE_US") or 0)
function init()
  local head = "POST /api/users/heartbeat/ HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\nAuthorization: Bearer "
  for token in io.lines(os.getenv("TOKENS")) do requests[#requests + 1] = head .. token .. "\r\n\r\n" end
  at = math.floor(#requests / 2) * place
  math.randomseed(place + 1)
end
function request()
  at = at % #requests + 1
  return requests[at]
end
if pace > 0 then
  -- wrk waits whole milliseconds: of a fraction, as often as that; and not all connections at once.
  function delay()
    return math.floor(pace * 2 * math.random() / 1000 + 0.5)
  end
end
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "result.lua")

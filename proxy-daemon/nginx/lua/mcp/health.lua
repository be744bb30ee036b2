-- Instances that just failed, shared by all workers: passed over for a while, then tried again. Nothing is probed here; the
-- registry says who is up, this only bridges the time until it does.
local dict = ngx.shared.mcp_down

-- Keys: "failures:<endpoint>" (how many lately), "down:<endpoint>" (until when, in seconds), "marks" (how many marks were ever set).

-- One failure may be an idle connection that the instance just closed; two within the time are not.
local failures_until_down = 2
-- What this worker knows of marks set by others is not older than this: every request asks, and a mark is only a hint.
local fresh_seconds = 0.02

local M = {}

local down = {} -- endpoint -> until when
local looked_at, marks = 0, 0
local last_until = 0 -- no mark lasts longer

local function mark(endpoint, till)
  down[endpoint] = till
  last_until = math.max(last_until, till)
end

local function read()
  down, last_until = {}, 0
  for _, key in ipairs(dict:get_keys(0)) do
    local endpoint = key:match('^down:(.+)$')
    local till = endpoint and dict:get(key)
    if till then
      mark(endpoint, till)
    end
  end
end

local function look(now)
  looked_at = now
  local set = dict:get('marks') or 0
  if set ~= marks then
    marks = set
    read()
  end
end

-- Not a part of what LuaJIT compiles for each request (see in-flight.lua).
jit.off(look)

-- Whether any instance is to be passed over; `now` in seconds. To be asked before M.is_down.
function M.is_any_down(now)
  if now - looked_at > fresh_seconds then
    look(now)
  end
  return last_until > now
end

function M.is_down(peer, now)
  local till = down[peer.endpoint]
  return till ~= nil and till > now
end

function M.failed(peer, seconds)
  if seconds <= 0 then
    return
  end
  local count = dict:incr('failures:' .. peer.endpoint, 1, 0, seconds)
  if count and count >= failures_until_down then
    local till = ngx.now() + seconds
    -- With a full dict an older mark goes: this is only a hint.
    dict:set('down:' .. peer.endpoint, till, seconds)
    dict:incr('marks', 1, 0)
    mark(peer.endpoint, till)
  end
end

-- Endpoints passed over now.
function M.list()
  local now = ngx.now()
  read()
  local found = {}
  for endpoint, till in pairs(down) do
    if till > now then
      found[#found + 1] = endpoint
    end
  end
  return found
end

return M

-- Which instance of a version a request goes to: the one with fewer requests in flight of two drawn at random. That spreads
-- almost as well as looking at all, and no worker has to know what all others do at this moment.
local health = require 'mcp.health'
local in_flight = require 'mcp.in-flight'

local random = math.random
local draws = 4
-- A new instance gets at least this share of what it will get, or it would never warm up.
local slow_start_floor = 0.1

local M = {}

-- The share of its traffic that an instance gets while it is new; 1 where it is not, or where all of its version are.
local function ramp(peer, entry, now)
  local age = now - peer.since
  local slow = entry.slow_ms
  if slow == 0 or age >= slow or age < 0 or now - peer.version.oldest < slow then
    return 1
  end
  return math.max(slow_start_floor, age / slow)
end

-- Whether a request may go there, as luck has it: new instances get less.
local function is_usable(peer, entry, tried, now)
  if (tried and tried[peer.key]) or health.is_down(peer) then
    return false
  end
  local share = ramp(peer, entry, now)
  return share >= 1 or random() < share
end

-- A usable instance other than `first`: where luck failed once it is tried again, and then all are looked at in turn.
local function draw_again(peers, entry, tried, now, first)
  local count = #peers
  for _ = 2, draws do
    local peer = peers[random(count)]
    if peer ~= first and is_usable(peer, entry, tried, now) then
      return peer
    end
  end
  local start = random(count)
  for step = 0, count - 1 do
    local peer = peers[(start + step - 1) % count + 1]
    if peer ~= first and not (tried and tried[peer.key]) and not health.is_down(peer) then
      -- Beside an instance drawn already a new one is no must.
      if not first or ramp(peer, entry, now) >= 1 then
        return peer
      end
    end
  end
  return nil
end

-- The first draws nearly always find one: what follows them has loops, and is a function of its own for that (see routes.lua).
local function least_of_two(peers, entry, tried, now)
  local count = #peers
  if count == 0 then
    return nil
  end
  local at = random(count)
  local one = peers[at]
  if not is_usable(one, entry, tried, now) then
    one = draw_again(peers, entry, tried, now)
    at = 0
  end
  if not one or count == 1 then
    return one
  end
  local other = random(at > 0 and count - 1 or count)
  local two = peers[at > 0 and other >= at and other + 1 or other]
  if two == one or not is_usable(two, entry, tried, now) then
    two = draw_again(peers, entry, tried, now, one)
  end
  if two and in_flight.total(two, now) < in_flight.total(one, now) then
    return two
  end
  return one
end

-- An instance not tried yet, whether it failed lately or not.
local function any_untried(peers, tried)
  local count = #peers
  if count == 0 then
    return nil
  end
  local start = random(count)
  for step = 0, count - 1 do
    local peer = peers[(start + step - 1) % count + 1]
    if not (tried and tried[peer.key]) then
      return peer
    end
  end
  return nil
end

-- In this zone first, then elsewhere.
local function of_version(version, entry, tried, now)
  return least_of_two(version.near, entry, tried, now) or least_of_two(version.far, entry, tried, now)
end

-- The instance for a request that was to go to `version`, or nil where there is none at all. `tried`: keys of instances
-- that failed this request. Better another version than none; better an instance that failed lately than none; and where
-- all have been tried the last one again: it may only have closed an idle connection.
function M.choose(entry, version, tried, last)
  local now = ngx.now() * 1000
  local peer = of_version(version, entry, tried, now)
  if peer then
    return peer
  end
  for _, other in ipairs(entry.versions) do
    peer = other ~= version and of_version(other, entry, tried, now)
    if peer then
      return peer
    end
  end
  peer = any_untried(version.near, tried) or any_untried(version.far, tried)
  if peer then
    return peer
  end
  for _, other in ipairs(entry.versions) do
    peer = any_untried(other.near, tried) or any_untried(other.far, tried)
    if peer then
      return peer
    end
  end
  return last and entry.live[last.key] and last or nil
end

return M

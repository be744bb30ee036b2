-- Which instance of a version a request goes to: the one with fewer requests in flight of two drawn at random. That spreads
-- almost as well as looking at all, and no worker has to know what all others do at this moment.
local health = require 'mcp.health'
local in_flight = require 'mcp.in-flight'

local random, min = math.random, math.min
local is_any_down, is_down, total = health.is_any_down, health.is_down, in_flight.total
local draws = 4
-- A new instance gets at least this share of what it will get, or it would never warm up.
local slow_start_floor = 0.1

local M = {}

-- The share of its traffic that an instance gets while it is new; 1 where it is not, or where all of its version are.
local function ramp(peer, entry, now)
  local age = now * 1000 - peer.since
  local slow = entry.slow_ms
  if slow == 0 or age >= slow or age < 0 or now * 1000 - peer.version.oldest < slow then
    return 1
  end
  return math.max(slow_start_floor, age / slow)
end

-- Whether a request may go there, as luck has it: new instances get less.
local function is_usable(peer, entry, tried, now)
  if (tried and tried[peer.key]) or is_down(peer, now) then
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
    if peer ~= first and not (tried and tried[peer.key]) and not is_down(peer, now) then
      -- Beside an instance drawn already a new one is no must.
      if not first or ramp(peer, entry, now) >= 1 then
        return peer
      end
    end
  end
  return nil
end

-- Of two drawn at random that may both be used. The first draws nearly always find them: what follows them has loops, and is a
-- function of its own for that (see routes.lua).
local function least_of_two_usable(peers, entry, tried, now)
  local count = #peers
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
  if two and total(two, now) < total(one, now) then
    return two
  end
  return one
end

-- Nearly always all may be used. Two at random, the lesser one, without a branch that goes now this way, now that: LuaJIT would
-- compile all that follows it twice.
local function least_of_two(peers, entry, tried, now)
  local count = #peers
  if count == 0 then
    return nil
  end
  local version, ms = peers[1].version, now * 1000
  -- The marks first: asking looks for those that others set.
  if is_any_down(now) or tried or (ms < version.uneven_until and ms >= version.uneven_from) then
    return least_of_two_usable(peers, entry, tried, now)
  end
  if count == 1 then
    return peers[1]
  end
  local at = random(count)
  local other = (at + random(count - 1) - 1) % count + 1
  local which = min(total(peers[at], now) * 2, total(peers[other], now) * 2 + 1) % 2
  return peers[at + (other - at) * which]
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
-- all have been tried the last one again: it may only have closed an idle connection. `now` in seconds.
function M.choose(entry, version, now, tried, last)
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

-- One try of a request: which instance, counted as in flight there before it is sent.
local choice = require 'mcp.choice'
local choose_peer = require 'mcp.choose-peer'
local choose_version = require 'mcp.choose-version'
local figures = require 'mcp.figures'
local health = require 'mcp.health'
local in_flight = require 'mcp.in-flight'
local routes = require 'mcp.routes'
local retry_budget = require 'mcp.retry-budget'

local choose_instance, choose_by_weights = choose_peer.choose, choose_version.choose
local begin_count, generation_in_force = in_flight.begin, routes.in_force

local M = {}

local function version_for(request, entry)
  if request.is_usual then
    return choose_by_weights(entry)
  end
  if request.choice and entry.choice then
    local version, among = choice.choose(entry, request.choice)
    request.among = among
    return version
  end
  request.among = nil
  return choose_by_weights(entry)
end

local function peer_for(request, entry, version, now)
  if request.is_usual then
    return choose_instance(entry, version, now)
  end
  return choose_instance(request.among or entry, version, now, request.tried, request.peer)
end

-- One instance by an entry, counted; nil where there is none. `now` in seconds.
local function begin(request, entry, now)
  -- Chosen once; again only where that version is gone.
  local version = request.version
  if not version or entry ~= request.entry then
    version = version_for(request, entry)
    request.version = version or false
  end
  request.entry = entry
  local peer = version and peer_for(request, entry, version, now)
  return peer and begin_count(peer) and peer or nil
end

-- The routes moved on, again and again perhaps, while an instance was chosen that is gone by them.
local function begin_again(request, now)
  local route = request.entry.route
  while true do
    local entry = routes.entry(route, request.generation)
    local peer = entry and begin(request, entry, now)
    local newest = peer and routes.generation()
    if not peer or newest == request.generation or routes.entry(route, newest) == entry then
      return peer or nil
    end
    in_flight.finish(peer)
    request.generation = newest
  end
end

-- Chooses by the routes that the request came with and counts. The generation is compared after counting: so either the daemon,
-- which reads the counts after it has written a generation, sees this request, or this request sees that generation. That
-- is what proof of drain rests on. `now` in seconds.
function M.pick(request, now)
  local entry = request.entry
  local peer = begin(request, entry, now)
  local newest = generation_in_force()
  if newest == request.generation then
    return peer
  end
  request.generation = newest
  if peer then
    if routes.entry(entry.route, newest) == entry then
      return peer
    end
    in_flight.finish(peer)
  end
  return begin_again(request, now)
end

-- The try before this one failed. True where another one is allowed.
function M.failed(request)
  local peer, entry = request.peer, request.entry
  health.failed(peer, entry.down_seconds)
  request.is_usual = false
  request.tried = request.tried or {}
  request.tried[peer.key] = true
  in_flight.finish(peer)
  request.counted = false
  if not retry_budget.withdraw(entry) then
    return false
  end
  figures.retried(entry.service, peer.version)
  return true
end

return M

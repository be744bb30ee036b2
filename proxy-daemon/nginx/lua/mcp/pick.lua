-- One try of a request: which instance, counted as in flight there before it is sent.
local choice = require 'mcp.choice'
local choose_peer = require 'mcp.choose-peer'
local choose_version = require 'mcp.choose-version'
local figures = require 'mcp.figures'
local health = require 'mcp.health'
local in_flight = require 'mcp.in-flight'
local routes = require 'mcp.routes'
local retry_budget = require 'mcp.retry-budget'

local M = {}

-- One instance by an entry, counted; nil where there is none.
local function begin(request, entry)
  request.entry = entry
  -- Chosen once; again only where that version is gone.
  local version = request.version
  if not version or entry ~= request.chosen_of then
    if request.choice and entry.choice then
      version, request.among = choice.choose(entry, request.choice)
    else
      version = choose_version.choose(entry)
      if request.among then
        request.among = nil
      end
    end
    request.version, request.chosen_of = version, entry
  end
  local peer = version and choose_peer.choose(request.among or entry, version, request.tried, request.peer)
  return peer and in_flight.begin(peer) and peer or nil
end

-- The routes moved on, again and again perhaps, while an instance was chosen that is gone by them.
local function begin_again(request)
  while true do
    local entry = routes.entry(request.prefix, request.generation)
    local peer = entry and begin(request, entry)
    local now = peer and routes.generation()
    if not peer or now == request.generation or routes.entry(request.prefix, now) == entry then
      return peer or nil
    end
    in_flight.finish(peer)
    request.generation = now
  end
end

-- Chooses by the routes that the request came with and counts. The generation is compared after counting: so either the daemon,
-- which reads the counts after it has written a generation, sees this request, or this request sees that generation. That
-- is what proof of drain rests on.
function M.pick(request)
  local entry = request.entry
  local peer = begin(request, entry)
  local now = routes.generation()
  if now == request.generation then
    return peer
  end
  request.generation = now
  if peer then
    if routes.entry(request.prefix, now) == entry then
      return peer
    end
    in_flight.finish(peer)
  end
  return begin_again(request)
end

-- The try before this one failed. True where another one is allowed.
function M.failed(request)
  local peer, entry = request.peer, request.entry
  health.failed(peer, entry.down_seconds)
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

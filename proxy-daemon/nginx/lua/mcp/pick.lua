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

-- Chooses by the routes of this moment and counts. The generation is compared again after counting: so either the daemon,
-- which reads the counts after it has written a generation, sees this request, or this request sees that generation. That
-- is what proof of drain rests on.
function M.pick(request)
  local generation = routes.generation()
  while true do
    local entry = routes.entry(request.prefix, generation)
    if not entry then
      return nil
    end
    request.entry = entry
    -- Chosen once; again only where that version is gone.
    local version = request.version
    if not version or entry ~= request.chosen_of then
      if entry.choice and request.choice then
        version, request.among = choice.choose(entry, request.choice)
      else
        version, request.among = choose_version.choose(entry), nil
      end
      request.version, request.chosen_of = version, entry
    end
    local peer = version and choose_peer.choose(request.among or entry, version, request.tried, request.peer)
    if not peer or not in_flight.begin(peer) then
      return nil
    end
    local now = routes.generation()
    if now == generation or routes.entry(request.prefix, now) == entry then
      return peer
    end
    in_flight.finish(peer)
    generation = now
  end
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

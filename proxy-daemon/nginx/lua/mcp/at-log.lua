-- The end of every request, however it ended.
local doors = require 'mcp.doors'
local figures = require 'mcp.figures'
local health = require 'mcp.health'
local in_flight = require 'mcp.in-flight'
local mirror = require 'mcp.mirror'
local requests = require 'mcp.requests'
local variables = require 'mcp.variables'
local watched = require 'mcp.watched'

local now, floor = ngx.now, math.floor
local take_request, drop_request, finish_count = requests.take, requests.drop, in_flight.finish
local count, status_of, is_watched = figures.count, variables.status, watched.is_any
-- Read before this is: see init_by_lua in dynamic-config.ts.
local is_logging = doors.is_logging

-- Without a header time the instance gave no answer: nginx made this one.
local function note_failure(request)
  local header_time = ngx.var.upstream_header_time
  if not header_time or header_time:sub(-1) == '-' then
    health.failed(request.peer, request.entry.down_seconds)
  end
end

return function()
  local request = take_request()
  local peer = request and request.peer
  if not peer then
    if request then
      ngx.var.mcp_service = request.entry.service
    end
    return figures.own(ngx.var.mcp_service, ngx.status)
  end
  if request.counted then
    finish_count(peer)
  end
  if is_logging then
    ngx.var.mcp_service = request.entry.service
    ngx.var.mcp_version = peer.version.name
  end
  local entry, status = request.entry, status_of()
  if request.counted and (status == 502 or status == 504) then
    note_failure(request)
  end
  local is_lasting = not request.is_usual and request.lasting
  local ms = not is_lasting and floor((now() - request.began) * 1000 + 0.5) or nil
  count(entry.service, peer.version, status, ms)
  if is_watched() then
    watched.count(entry.service, ngx.var.request_method, ngx.var.mcp_rest)
  end
  if entry.choice and entry.choice.mirror then
    mirror.copy(request, peer, status)
  end
  drop_request(request)
end

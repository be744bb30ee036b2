-- The end of every request, however it ended.
local doors = require 'mcp.doors'
local figures = require 'mcp.figures'
local health = require 'mcp.health'
local in_flight = require 'mcp.in-flight'
local mirror = require 'mcp.mirror'
local requests = require 'mcp.requests'
local watched = require 'mcp.watched'

local now, floor = ngx.now, math.floor

-- Without a header time the instance gave no answer: nginx made this one.
local function note_failure(request)
  local header_time = ngx.var.upstream_header_time
  if not header_time or header_time:sub(-1) == '-' then
    health.failed(request.peer, request.entry.down_seconds)
  end
end

return function()
  local request = requests.take()
  local peer = request and request.peer
  if not peer then
    if request then
      ngx.var.mcp_service = request.entry.service
    end
    return figures.own(ngx.var.mcp_service, ngx.status)
  end
  if request.counted then
    in_flight.finish(peer)
  end
  if doors.is_logging then
    ngx.var.mcp_service = request.entry.service
    ngx.var.mcp_version = peer.version.name
  end
  local entry, status = request.entry, ngx.status
  if request.counted and (status == 502 or status == 504) then
    note_failure(request)
  end
  local ms = not request.lasting and floor((now() - request.began) * 1000 + 0.5) or nil
  figures.count(entry.service, peer.version, status, ms)
  if watched.of then
    watched.count(entry.service, ngx.var.request_method, ngx.var.mcp_rest)
  end
  if entry.choice and entry.choice.mirror then
    mirror.copy(request, peer, status)
  end
  requests.drop(request)
end

-- Once for each try of a request.
local balancer = require 'ngx.balancer'
local pick = require 'mcp.pick'
local requests = require 'mcp.requests'

local current_request, now, pick_peer = requests.current, ngx.now, pick.pick
local set_more_tries, set_current_peer = balancer.set_more_tries, balancer.set_current_peer

-- Connect, send, read, in seconds: a WebSocket may be silent for long.
local lasting_timeouts = { 2, 3600, 3600 }

-- NGX_BUSY: nginx answers 502. Any status given here reaches the caller as 500 (lua-nginx-module without its status patch).
local none_left = -3

return function()
  local request = current_request()
  if not request then
    return ngx.exit(500)
  end
  local at = now()
  if request.counted then
    if not pick.failed(request) then
      return ngx.exit(none_left)
    end
  elseif not request.began then
    request.began = at
    local retries = request.entry.retries
    if retries > 0 then
      set_more_tries(retries)
    end
  end

  local peer = pick_peer(request, at)
  if not peer then
    return ngx.exit(none_left)
  end
  request.peer = peer
  request.counted = true

  -- As they are by now: the routes may have moved on.
  local timeouts = request.entry.timeouts or (not request.is_usual and request.lasting and lasting_timeouts)
  if timeouts then
    balancer.set_timeouts(timeouts[1], timeouts[2], timeouts[3])
  end
  local ok, err = set_current_peer(peer.host, peer.port)
  if not ok then
    ngx.log(ngx.ERR, 'instance ', peer.endpoint, ': ', err)
    return ngx.exit(500)
  end
end

-- Once for each try of a request.
local balancer = require 'ngx.balancer'
local pick = require 'mcp.pick'
local requests = require 'mcp.requests'

-- Connect, send, read, in seconds: a WebSocket may be silent for long.
local lasting_timeouts = { 2, 3600, 3600 }

-- NGX_BUSY: nginx answers 502. Any status given here reaches the caller as 500 (lua-nginx-module without its status patch).
local none_left = -3

return function()
  local request = requests.current()
  if not request then
    return ngx.exit(500)
  end
  local entry = request.entry
  if request.counted then
    if not pick.failed(request) then
      return ngx.exit(none_left)
    end
  elseif not request.began then
    request.began = ngx.now()
    if entry.retries > 0 then
      balancer.set_more_tries(entry.retries)
    end
  end

  local peer = pick.pick(request)
  if not peer then
    return ngx.exit(none_left)
  end
  request.peer = peer
  request.counted = true

  -- As they are by now: the routes may have moved on.
  local timeouts = request.entry.timeouts or request.lasting and lasting_timeouts
  if timeouts then
    balancer.set_timeouts(timeouts[1], timeouts[2], timeouts[3])
  end
  local ok, err = balancer.set_current_peer(peer.host, peer.port)
  if not ok then
    ngx.log(ngx.ERR, 'instance ', peer.endpoint, ': ', err)
    return ngx.exit(500)
  end
end

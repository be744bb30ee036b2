-- Each part of an answer of a service with a mirror, on its way to the caller.
local mirror = require 'mcp.mirror'
local requests = require 'mcp.requests'

local request = requests.current()
if request then
  mirror.pass(request, ngx.arg[1], ngx.arg[2])
end

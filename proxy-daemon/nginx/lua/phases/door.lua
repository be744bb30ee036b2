-- At a door, before its limits: who is it?
local doors = require 'mcp.doors'
local requests = require 'mcp.requests'

local request = requests.current()
-- By the place, not by the entry that led here: it is of this configuration.
local gate = doors.gate(ngx.var.uri)
if not request or not gate then
  return ngx.exit(500)
end
if gate.variable then
  local client = doors.client(gate, ngx.var[gate.variable])
  if not client then
    ngx.header['WWW-Authenticate'] = 'ApiKey'
    return ngx.exit(401)
  end
  ngx.var.mcp_client = client
end
if request.uri then
  ngx.req.set_uri(request.uri)
end

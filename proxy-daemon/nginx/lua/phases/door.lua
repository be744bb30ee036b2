-- At the door of one service, before its limits: who is it?
local doors = require 'mcp.doors'
local requests = require 'mcp.requests'

local request = requests.current()
if not request then
  return ngx.exit(500)
end
-- Of this configuration, not of the entry that led here.
local door = doors.of(request.entry.service)
if door.variable then
  local client = doors.client(door, ngx.var[door.variable])
  if not client then
    ngx.header['WWW-Authenticate'] = 'ApiKey'
    return ngx.exit(401)
  end
  ngx.var.mcp_client = client
end
if request.uri then
  ngx.req.set_uri(request.uri)
end

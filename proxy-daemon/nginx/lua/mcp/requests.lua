-- What is known of each request under way in this worker, by a number that the request carries in $mcp_ticket. Not ngx.ctx:
-- that is lost where an error is worded in another location, and then nobody would count the request as ended.
local requests = {}
local last = 0

local M = {}

function M.add(request)
  last = last + 1
  requests[last] = request
  ngx.var.mcp_ticket = last
end

function M.current()
  return requests[tonumber(ngx.var.mcp_ticket)]
end

-- The request, which has ended; nil where there is none or it was taken before.
function M.take()
  local ticket = tonumber(ngx.var.mcp_ticket)
  local request = ticket and requests[ticket]
  if request then
    requests[ticket] = nil
  end
  return request
end

-- All of them, by number.
function M.all()
  return requests
end

return M

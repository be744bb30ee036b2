-- $mcp_generation: the generation in force; and, where an answer of the gateway's own names it, the service that was asked for.
local request = package.loaded['mcp.requests'].current()
if request then
  ngx.var.mcp_service = request.entry.service
end
return ngx.shared.mcp_routes:get('generation') or 0

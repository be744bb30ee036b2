-- $mcp_generation: the generation in force.
return ngx.shared.mcp_routes:get('generation') or 0

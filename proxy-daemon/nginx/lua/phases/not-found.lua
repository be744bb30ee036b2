-- The answer where no route leads: the routes there are, as publish.lua got them.
ngx.say(
  '{"error":{"code":"NO_SUCH_ROUTE","message":"No route leads here","hint":"See /docs for what there is.","routes":',
  ngx.shared.mcp_routes:get('listed') or '[]',
  '},"generation":',
  ngx.shared.mcp_routes:get('generation') or 0,
  '}'
)

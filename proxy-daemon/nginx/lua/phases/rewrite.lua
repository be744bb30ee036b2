-- Which service a request is for, and the path that its instances see.
local choice = require 'mcp.choice'
local requests = require 'mcp.requests'
local retry_budget = require 'mcp.retry-budget'
local routes = require 'mcp.routes'
local streams = require 'mcp.streams'

local var = ngx.var
local asked = var.request_uri
local mark = asked:find('?', 1, true)
local path = mark and asked:sub(1, mark - 1) or asked

-- Dot segments, plain or encoded: what is matched here is then not what the backend would be sent.
if path:find('.', 1, true) or path:find('%', 1, true) then
  if ngx.re.find(path, [[(?:/|%2f)(?:\.|%2e){1,2}(?:/|%2f|$)]], 'ijo') then
    return ngx.exit(400)
  end
end

local entry, prefix = routes.lookup(var.uri, routes.generation())
if not entry then
  return ngx.exit(404)
end
var.mcp_service = entry.service

-- What the client sent behind the prefix, not decoded: so `%2F` in a parameter reaches the backend as it was sent.
local length = #entry.prefix
if path:sub(1, length) ~= entry.prefix then
  return ngx.exit(400)
end
local rest = asked:sub(length + 1)
local first = rest:byte(1)
if first == 63 or first == nil then -- ?
  rest = '/' .. rest
elseif first ~= 47 then -- /
  return ngx.exit(400)
end
if #entry.versions == 0 then
  return ngx.exit(503)
end
var.mcp_prefix = entry.prefix
var.mcp_rest = rest

local request = { prefix = prefix, entry = entry }
if entry.choice then
  request.choice = choice.said(entry, path:sub(length + 1))
  -- Nobody is to believe that the version asked for has answered. (What is there is public: see /status.)
  if request.choice.asked and not entry.choice.names[request.choice.asked] then
    return ngx.exit(503)
  end
end
local lasts = streams.is_asked_for()
if lasts then
  streams.mark(request)
end
requests.add(request)
retry_budget.deposit(entry)
if entry.door then
  request.uri = entry.protocol == 'grpc' and var.uri:sub(length + 1) or nil
  return ngx.req.set_uri(lasts and entry.door.stream_place or entry.door.place, true)
end
if entry.protocol == 'grpc' then
  ngx.req.set_uri(var.uri:sub(length + 1))
  return ngx.exec('@grpc')
end
if lasts then
  return ngx.exec('@stream')
end
if entry.choice and entry.choice.mirror and ngx.req.get_method() == 'GET' then
  return ngx.exec('@mirrored')
end
if entry.any_method then
  return ngx.exec('@any-method')
end

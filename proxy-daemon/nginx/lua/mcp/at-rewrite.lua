-- Which service a request is for, and the path that its instances see.
--
-- What every request calls is a function known by name here, not one to be looked up in its module, and what it was asked for is no Lua
-- string: see variables.lua.
local ffi = require 'ffi'
local bytes = require 'mcp.bytes'
local choice = require 'mcp.choice'
local request_ids = require 'mcp.request-ids'
local requests = require 'mcp.requests'
local retry_budget = require 'mcp.retry-budget'
local routes = require 'mcp.routes'
local streams = require 'mcp.streams'
local variables = require 'mcp.variables'

local var = ngx.var
local sub, copy_of, index, has = string.sub, ffi.string, bytes.index, bytes.has
local peek, set = variables.peek, variables.set
local question, percent, hash, slash = ('?%#/'):byte(1, -1)
local newest, lookup = routes.newest, routes.lookup
local new_request, add_request = requests.new, requests.add
local is_stream, deposit, give_id = streams.is_asked_for, retry_budget.deposit, request_ids.give

-- Answered by 400, see server-locations.ts.
local refused = 490

-- Dot segments, plain or encoded: what is matched here is then not what the backend would be sent.
local function has_dot_segment(path)
  return ngx.re.find(path, [[(?:/|%2f)(?:\.|%2e){1,2}(?:/|%2f|$)]], 'ijo') ~= nil
end

-- An answer of the gateway's own that names the service. Nearly all requests need no such name: it is set where it is wanted.
local function refuse(status, entry)
  var.mcp_service = entry.service
  return ngx.exit(status)
end

-- The way to what is not a usual service: a location of its own.
local function elsewhere(entry, request, length)
  if entry.door then
    request.is_usual = false
    request.uri = entry.protocol == 'grpc' and sub(var.uri, length + 1) or nil
    local place = request.lasting and entry.door.stream_place or entry.door.place
    return ngx.req.set_uri(entry.door.operation and place .. var[entry.door.operation] or place, true)
  end
  if entry.protocol == 'grpc' then
    ngx.req.set_uri(sub(var.uri, length + 1))
    return ngx.exec('@grpc')
  end
  if request.lasting then
    return ngx.exec('@stream')
  end
  if entry.choice and entry.choice.mirror and ngx.req.get_method() == 'GET' then
    return ngx.exec('@mirrored')
  end
  if entry.any_method then
    return ngx.exec('@any-method')
  end
end

return function()
  local asked, asked_length = peek('request_uri')
  local path_length = index(asked, 0, asked_length, question) or asked_length
  -- Nearly every path is one that nginx decodes to itself, and then it need not be asked.
  local is_decoded = path_length > 0
    and not index(asked, 0, path_length, percent)
    and not index(asked, 0, path_length, hash)
  if (not is_decoded or has(asked, path_length, '/.')) and has_dot_segment(copy_of(asked, path_length)) then
    return ngx.exit(refused)
  end

  local generation = newest()
  local decoded, decoded_length = asked, path_length
  if not is_decoded then
    decoded, decoded_length = peek('uri')
  end
  local entry = lookup(decoded, decoded_length, generation)
  if not entry then
    return ngx.exit(404)
  end
  local prefix = entry.prefix
  local length = #prefix
  if not is_decoded and sub(copy_of(asked, path_length), 1, length) ~= prefix then
    return refuse(refused, entry)
  end
  -- What the client sent behind the prefix, not decoded: so `%2F` in a parameter reaches the backend as it was sent.
  local rest, rest_length = asked + length, asked_length - length
  if rest_length == 0 or rest[0] == question then
    rest, rest_length = '/' .. copy_of(rest, rest_length), rest_length + 1
  elseif rest[0] ~= slash then
    return refuse(refused, entry)
  end
  if #entry.versions == 0 then
    return refuse(503, entry)
  end
  set('mcp_prefix', prefix, length)
  set('mcp_rest', rest, rest_length)
  give_id()

  local request = new_request(entry, generation)
  if entry.choice then
    request.is_usual = false
    request.choice = choice.said(entry, copy_of(asked + length, path_length - length))
    -- Nobody is to believe that the version asked for has answered. (What is there is public: see /status.)
    if request.choice.asked and not entry.choice.names[request.choice.asked] then
      return refuse(503, entry)
    end
  end
  if is_stream() then
    streams.mark(request)
  end
  add_request(request)
  deposit(entry)
  if entry.is_unusual or not request.is_usual then
    return elsewhere(entry, request, length)
  end
end

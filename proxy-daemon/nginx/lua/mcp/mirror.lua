-- Copies of answered requests for another version: only GET and HEAD, only after the caller has had the whole answer, in a timer of
-- its own. What comes back is compared by its status, counted, and thrown away; of some also the body is (see seen-answer.lua).
-- So nothing of it can reach the caller: a copy that hangs or fails costs a connection for some seconds, and where too many are
-- under way no more are sent.
local choose_peer = require 'mcp.choose-peer'
local figures = require 'mcp.figures'
local in_flight = require 'mcp.in-flight'
local read_answer = require 'mcp.read-answer'
local routes = require 'mcp.routes'
local seen_answer = require 'mcp.seen-answer'

local most_under_way = 32 -- in a worker
local connect_ms, send_ms, read_ms = 2000, 2000, 5000
-- Not passed on: what speaks of the connection, what the gateway sets itself, and what only the gateway may say.
local not_copied = {
  ['connection'] = true,
  ['content-length'] = true,
  ['expect'] = true,
  ['host'] = true,
  ['keep-alive'] = true,
  ['te'] = true,
  ['trailer'] = true,
  ['transfer-encoding'] = true,
  ['upgrade'] = true,
  ['x-request-id'] = true,
}
local own_prefixes = { '^x%-mcp%-', '^x%-forwarded%-', '^proxy%-' }

local under_way = 0

local M = {}

local function is_copied(name, value)
  if not_copied[name] or type(value) ~= 'string' or value:find('%c') or not name:find('^[%w!#$&\'*+.^_`|~-]+$') then
    return false
  end
  for _, pattern in ipairs(own_prefixes) do
    if name:find(pattern) then
      return false
    end
  end
  return true
end

-- The current request as text.
local function copy_of(prefix)
  local var = ngx.var
  local forwarded = var.mcp_forwarded_for
  local for_whom = not forwarded:find('%c') and forwarded or var.remote_addr
  local lines = {
    ngx.req.get_method() .. ' ' .. var.mcp_rest .. ' HTTP/1.1',
    'Host: ' .. (var.http_host or 'localhost'),
    'Connection: close',
    'X-Forwarded-For: ' .. for_whom,
    'X-Forwarded-Proto: ' .. var.scheme,
    'X-Forwarded-Prefix: ' .. prefix,
    'X-Request-Id: ' .. var.mcp_request_id,
    'X-MCP-Mirror: 1',
  }
  for name, values in pairs(ngx.req.get_headers(100)) do
    for _, value in ipairs(type(values) == 'table' and values or { values }) do
      if is_copied(name, value) then
        lines[#lines + 1] = name .. ': ' .. value
      end
    end
  end
  return table.concat(lines, '\r\n') .. '\r\n\r\n'
end

-- An instance of the version, counted as having one more request in flight; nil where there is none. As in pick.lua.
local function pick(prefix, name)
  local generation = routes.generation()
  local entry = routes.entry(prefix, generation)
  local version = entry and entry.choice and entry.choice.names[name]
  local peer = version and choose_peer.choose(entry.choice.alone[name], version, ngx.now())
  if not peer or not in_flight.begin(peer) then
    return nil
  end
  local now = routes.generation()
  if now ~= generation and routes.entry(prefix, now) ~= entry then
    in_flight.finish(peer)
    return nil
  end
  return peer
end

-- The status of the answer, or nil, and what the daemon says of the two bodies.
local function ask(peer, copy)
  local socket = ngx.socket.tcp()
  socket:settimeouts(connect_ms, send_ms, read_ms)
  local ok = socket:connect(peer.host, peer.port)
  local status, headers
  if ok and socket:send(copy.text) then
    status, headers = read_answer.head(socket)
  end
  local verdict = status == copy.status and copy.seen and seen_answer.compare(copy, peer.version.name, headers, socket)
  if ok then
    socket:close()
  end
  return status, verdict
end

local function send(premature, copy)
  local peer = not premature and pick(copy.prefix, copy.to)
  if peer then
    -- Whatever goes wrong, the count must go down again, or the instance would never be drained.
    local ok, status, verdict = pcall(ask, peer, copy)
    in_flight.finish(peer)
    status = ok and status
    figures.mirrored(copy.service, peer.version, not status and 'mf' or status == copy.status and 'ms' or 'md')
    if ok and verdict then
      figures.mirrored(copy.service, peer.version, verdict)
    end
  end
  seen_answer.done(copy.seen)
  under_way = under_way - 1
end

-- Whether the current request, which `peer` answers, is to be copied. To be asked once.
local function is_drawn(request, peer)
  local entry = request.entry
  local mirror = entry.choice and entry.choice.mirror
  local method = ngx.req.get_method()
  if not mirror or not entry.choice.names[mirror.to] or peer.version.name == mirror.to or request.lasting then
    return false
  end
  if method ~= 'GET' and method ~= 'HEAD' then
    return false
  end
  -- Bodies are not kept, and credentials that end at a door are not to get past it.
  if entry.door or entry.protocol ~= 'http' or ngx.var.http_content_length or ngx.var.http_transfer_encoding then
    return false
  end
  return not ngx.var.mcp_rest:find('[%c ]') and routes.next_point(mirror) < mirror.share
end

-- A part of the answer to the current request, on its way to the caller.
function M.pass(request, part, is_last)
  if request.mirrored == nil then
    request.is_usual = false
    request.mirrored = request.peer and is_drawn(request, request.peer)
    request.seen = request.mirrored and seen_answer.begin()
  end
  if request.seen then
    seen_answer.add(request.seen, part, is_last)
  end
end

-- At the end of a request of an entry with a mirror. `peer`: the instance that answered it.
function M.copy(request, peer, status)
  if request.mirrored == nil then
    request.is_usual = false
    request.mirrored = is_drawn(request, peer)
  end
  local entry, seen = request.entry, request.seen or nil
  local mirror = entry.choice and entry.choice.mirror
  local to = mirror and entry.choice.names[mirror.to]
  if not request.mirrored or not to then
    return seen_answer.done(seen)
  end
  local copy = {
    prefix = entry.route,
    service = entry.service,
    version = peer.version.name,
    to = mirror.to,
    status = status,
    text = copy_of(entry.prefix),
    method = ngx.req.get_method(),
    path = ngx.var.mcp_rest,
    seen = seen,
  }
  under_way = under_way + 1
  if under_way > most_under_way or not ngx.timer.at(0, send, copy) then
    under_way = under_way - 1
    seen_answer.done(seen)
    figures.mirrored(entry.service, to, 'mx')
  end
end

return M

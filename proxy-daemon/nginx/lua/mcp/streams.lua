-- Connections that last: WebSockets and event streams. One that goes to an instance which gets no new requests any more is
-- left alone for the service's drain time, then closed; its client connects again, and elsewhere.
--
-- nginx has no call for that, so the client's socket is shut down, as if the client had left: nginx then ends both sides
-- and logs the request, so that it is counted as ended. The two structures below begin like this in every nginx since 0.7.
local ffi = require 'ffi'
local base = require 'resty.core.base'
local bytes = require 'mcp.bytes'
local routes = require 'mcp.routes'
local requests = require 'mcp.requests'
local variables = require 'mcp.variables'

ffi.cdef([[
typedef struct { void *data; void *read; void *write; int fd; } mcp_connection;
typedef struct { uint32_t signature; mcp_connection *connection; } mcp_request;
int shutdown(int fd, int how);
]])

local request_signature = 0x50545448 -- "HTTP", which nginx writes there itself
local both_ways = 2
local peek, has = variables.peek, bytes.has

local M = {}

-- The socket of the current request's client, or nil. Of HTTP/2 several requests share one, so it is not to be closed.
local function client_socket()
  if ngx.req.http_version() ~= 1.1 then
    return nil
  end
  local request = ffi.cast('mcp_request *', base.get_request())
  if request == nil or request.signature ~= request_signature or request.connection == nil then
    return nil
  end
  return request.connection.fd
end

-- True where the current request asks for a connection that lasts.
function M.is_asked_for()
  if peek('http_upgrade') then
    return true
  end
  local accept, length = peek('http_accept')
  return accept ~= nil and has(accept, length, 'text/event-stream')
end

function M.mark(request)
  request.is_usual = false
  request.lasting = true
  request.socket = client_socket()
end

-- Closes what should be closed by now. `now` in ms.
function M.close_overdue(now)
  local generation = routes.generation()
  for _, request in pairs(requests.all()) do
    if request.socket and request.peer then
      local entry = routes.entry(request.entry.route, generation)
      if entry and entry.live[request.peer.key] then
        request.leaving_since = nil
      else
        request.leaving_since = request.leaving_since or now
        if now - request.leaving_since >= (entry or request.entry).grace_ms then
          ffi.C.shutdown(request.socket, both_ways)
          request.socket = nil
        end
      end
    end
  end
end

return M

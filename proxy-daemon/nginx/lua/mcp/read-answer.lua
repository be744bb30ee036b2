-- Reads an answer of HTTP/1.1 from a socket: of the copy of a request, or of the daemon. All of it is bounded.
local most_headers = 100
local most_early = 3

local M = {}

local function read_headers(socket)
  local headers = {}
  for _ = 1, most_headers do
    local line = socket:receive('*l')
    if not line or line == '' then
      return line and headers
    end
    local name, value = line:match('^([%w-]+):%s*(.-)%s*$')
    if name then
      headers[name:lower()] = value
    end
  end
  return nil
end

-- The status, and the headers by their names in lower case; nil where there is no answer.
function M.head(socket)
  for _ = 0, most_early do
    local line = socket:receive('*l')
    local status = line and tonumber(line:match('^HTTP/1%.[01] (%d%d%d)'))
    -- Early hints and the like: the answer is yet to come.
    if not status or status >= 200 then
      return status, status and read_headers(socket) or {}
    end
    if not read_headers(socket) then
      return nil
    end
  end
  return nil
end

local function chunks(socket, most)
  local parts, size = {}, 0
  while true do
    local line = socket:receive('*l')
    local length = line and tonumber(line:match('^%x+'), 16)
    if length == 0 then
      return table.concat(parts)
    end
    size = size + (length or most + 1)
    if size > most then
      return nil
    end
    local part = socket:receive(length)
    if not part or not socket:receive(2) then
      return nil
    end
    parts[#parts + 1] = part
  end
end

-- The body that follows; nil where it is longer than `most` bytes, or does not come.
function M.body(socket, headers, most)
  if headers['transfer-encoding'] then
    return headers['transfer-encoding']:lower() == 'chunked' and chunks(socket, most) or nil
  end
  local length = tonumber(headers['content-length'])
  if length then
    return length <= most and (length == 0 and '' or (socket:receive(length))) or nil
  end
  -- Until its end: whoever says neither closes.
  local all, problem, part = socket:receive(most + 1)
  return not all and problem == 'closed' and part or nil
end

return M

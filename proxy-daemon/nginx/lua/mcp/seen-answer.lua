-- Bodies of some mirrored answers, kept while they pass to the caller, so that the daemon can compare their shape with that of
-- the copy's: it knows the services' documents, and what takes long there holds up nobody here. Few at a time, and none too large:
-- what is not compared is only counted by its status. The other side is mirrored-answers.ts.
local read_answer = require 'mcp.read-answer'

local most_bytes = 64 * 1024 -- as in mirrored-answers.ts
local most_kept = 4 -- in a worker
local least_gap = 0.05 -- seconds between two of a worker
local daemon_ms = 5000
-- Of the daemon's word, what is counted (see figures.lua).
local kinds = { conforms = 'mk', deviates = 'mv' }

local kept = 0
local last = 0

local M = {}

local function is_json(kind)
  kind = kind and kind:lower():match('^%s*([%w.+/-]+)')
  return kind and (kind == 'application/json' or kind:find('^application/.*%+json$')) and kind or nil
end

local function encoding_of(value)
  return (value or ''):lower():match('^[%w-]*$')
end

-- For the current request's answer; nil where it is not to be kept. Whatever is kept must be given to `done`.
function M.begin()
  local now = ngx.now()
  local kind = is_json(ngx.var.upstream_http_content_type)
  local encoding = encoding_of(ngx.var.upstream_http_content_encoding)
  local length = tonumber(ngx.var.upstream_http_content_length) or 0
  if not kind or not encoding or length > most_bytes or kept >= most_kept or now - last < least_gap then
    return nil
  end
  kept = kept + 1
  last = now
  return { kind = kind, encoding = encoding, size = 0, parts = {}, daemon = ngx.var.mcp_daemon }
end

-- `seen` may be nil.
function M.done(seen)
  if seen and not seen.is_done then
    seen.is_done = true
    seen.parts = nil
    kept = kept - 1
  end
end

function M.add(seen, part, is_last)
  if not seen.parts then
    return
  end
  seen.size = seen.size + #part
  if seen.size > most_bytes then
    return M.done(seen)
  end
  if part ~= '' then
    seen.parts[#seen.parts + 1] = part
  end
  seen.is_whole = is_last
end

-- What is to be counted of the pair; nil where it can't be told. `socket`: where the body of the copy's answer is still to come.
function M.compare(copy, to, headers, socket)
  local seen = copy.seen
  local kind, encoding = is_json(headers['content-type']), encoding_of(headers['content-encoding'])
  if not seen.parts or not seen.is_whole or not encoding then
    return nil
  end
  local body = read_answer.body(socket, headers, most_bytes)
  if not body then
    return nil
  end
  local daemon = ngx.socket.tcp()
  daemon:settimeouts(daemon_ms, daemon_ms, daemon_ms)
  if not daemon:connect(seen.daemon) then
    return nil
  end
  local sent = daemon:send({
    'POST /answers HTTP/1.1\r\nHost: daemon\r\nConnection: close\r\nContent-Length: ' .. seen.size + #body,
    '\r\nX-Operation: ' .. copy.method .. ' ' .. copy.path,
    '\r\nX-Versions: ' .. copy.service .. ' ' .. copy.version .. ' ' .. to .. ' ' .. copy.status,
    '\r\nX-Answer: ' .. seen.size .. ' ' .. seen.kind .. ' ' .. seen.encoding,
    '\r\nX-Copy: ' .. #body .. ' ' .. (kind or '-') .. ' ' .. encoding .. '\r\n\r\n',
    seen.parts,
    body,
  })
  local status, said
  if sent then
    status, said = read_answer.head(daemon)
  end
  local word = status == 200 and read_answer.body(daemon, said, 20)
  daemon:close()
  return word and kinds[word]
end

return M

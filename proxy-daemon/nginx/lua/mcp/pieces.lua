-- A file that the daemon keeps as a list of pieces (proxy-daemon/document/piece-list.ts): so one change writes what changed.
--
-- Pieces never change, their names stand for their contents, and one that no list names any more stays for longer than an answer
-- may take. Reading blocks this worker, in slices of files that the system has in memory; sending does not.
local M = {}

local slice_bytes = 65536
-- Sent before other requests of this worker have their turn, and before more is read for a client that is slow.
local turn_bytes = 4 * slice_bytes
-- See graceMs in proxy-daemon/document/piece-files.ts.
local longest_s = 300

-- What the list at this path says; nil where there is none.
function M.read(path)
  -- The folder it is in may be taken away between the look for it and the look into it: then another one is in its place.
  local file = io.open(path, 'rb') or io.open(path, 'rb')
  if not file then
    return nil
  end
  local text = file:read('*a')
  file:close()
  local etag, modified, length = text:match('^mcp%-pieces 1 (%x+) (%d+) (%d+)\n')
  if not etag then
    return nil
  end
  return { etag = etag, modified = tonumber(modified), length = tonumber(length), text = text }
end

local function ranges(list)
  return list.text:gmatch('\n(%x+) (%d+) (%d+)%f[\n]')
end

-- The first piece that is not there; nil where all are.
function M.missing(list, dir)
  local seen = {}
  for name in ranges(list) do
    if not seen[name] then
      seen[name] = true
      local file = io.open(dir .. name, 'rb')
      if not file then
        return name
      end
      file:close()
    end
  end
end

local function send_range(file, length, sent)
  while length > 0 do
    local data = file:read(length < slice_bytes and length or slice_bytes)
    if not data then
      return nil, 'too short'
    end
    length = length - #data
    sent.waiting = sent.waiting + #data
    local ok, err = ngx.print(data)
    if ok and sent.waiting >= turn_bytes then
      sent.waiting = 0
      ok, err = ngx.flush(true)
      -- A client that is fast enough never makes us wait; others shall not wait for it.
      ngx.sleep(0)
      if ok and ngx.now() > sent.deadline then
        ok, err = nil, 'takes too long'
      end
    end
    if not ok then
      return nil, err
    end
  end
  return true
end

-- Sends all of it. Gives nil and what went wrong: then a part is sent, and nobody must take it for the whole.
function M.send(list, dir)
  local sent = { waiting = 0, deadline = ngx.now() + longest_s }
  local open, file
  for name, offset, length in ranges(list) do
    if name ~= open then
      if file then
        file:close()
      end
      file = io.open(dir .. name, 'rb')
      if not file then
        return nil, name .. ' is missing'
      end
      -- Reads are as large as is useful already.
      file:setvbuf('no')
      open = name
    end
    file:seek('set', tonumber(offset))
    local ok, err = send_range(file, tonumber(length), sent)
    if not ok then
      file:close()
      return nil, name .. ': ' .. err
    end
  end
  if file then
    file:close()
  end
  return true
end

return M

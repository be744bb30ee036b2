-- Files that the daemon keeps as lists of pieces (proxy-daemon/document/piece-list.ts): so one change writes what changed.
--
-- Pieces never change, their names stand for their contents, and one that no list names any more stays for longer than an answer
-- may take. Reading blocks this worker, in slices of files that the system has in memory; sending does not.
local M = {}

local first_line = 'mcp-lists 3'
local slice_bytes = 65536
-- Sent before other requests of this worker have their turn, and before more is read for a client that is slow.
local turn_bytes = 4 * slice_bytes
-- See graceMs in proxy-daemon/document/piece-files.ts.
local longest_s = 300

-- The line of each list, by the name of its file.
local function read_heads(file)
  local heads = {}
  -- The line in between is the digest of the document, which the daemon wants.
  local line = file:read('*l') == first_line and file:read('*l') and file:read('*l')
  while line and line ~= '' do
    heads[line:match('^%S+')] = line
    line = file:read('*l')
  end
  return heads
end

local function read_list(file, names)
  local heads = read_heads(file)
  for _, name in ipairs(names) do
    local head = heads[name]
    if head then
      local etag, modified, length, offset, size = head:match(' (%x+) (%d+) (%d+) (%d+) (%d+)$')
      file:seek('cur', tonumber(offset))
      local text = file:read(tonumber(size))
      return { file = name, etag = etag, modified = tonumber(modified), length = tonumber(length), text = text }
    end
  end
end

-- What the lists at this path say of the first of these files that they know; nil where they know none.
function M.read(path, names)
  local file = io.open(path, 'rb')
  if not file then
    return nil
  end
  local list = read_list(file, names)
  file:close()
  return list
end

local function ranges(list)
  return list.text:gmatch('(%x+) (%d+) (%d+)\n')
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

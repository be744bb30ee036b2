-- Writes a generation into the shared dict: all of it, or nothing and the reason.
--
-- New entries go beside the old ones under a stamp of their own; only when all are there the stamps are changed, which needs
-- no memory any more, and the generation last. So a dict that is full leaves the generation before untouched.
local routes = require 'mcp.routes'

local dict = ngx.shared.mcp_routes

local M = {}

-- Everything in the dict of prefixes: { [prefix] = stamp }.
local function stamps()
  local found = {}
  for _, key in ipairs(dict:get_keys(0)) do
    local prefix = key:match('^stamp:(.+)$')
    if prefix then
      found[prefix] = dict:get(key)
    end
  end
  return found
end

local function write_aside(changes, stamp, written)
  for _, change in ipairs(changes) do
    local prefix, entry = change[1], change[2]
    local key = 'entry:' .. prefix .. ':' .. stamp
    local ok, err = dict:safe_set(key, entry)
    if not ok then
      return err
    end
    written[#written + 1] = key
    -- Makes room for the stamp of a new prefix. Until it is changed it leads nowhere.
    local added, why = dict:safe_add('stamp:' .. prefix, 0)
    if not added and why ~= 'exists' then
      return why
    end
    if added then
      written[#written + 1] = 'stamp:' .. prefix
    end
  end
end

-- `small`: keys other than entries, as { key, value }.
local function write_small(small, old)
  for _, pair in ipairs(small) do
    local key, value = pair[1], pair[2]
    old[#old + 1] = { key, dict:get(key) }
    local ok, err = dict:safe_set(key, value)
    if not ok then
      return err
    end
  end
end

-- `message`: see message-text.lua.
-- Returns true, or nil and 'conflict' (another generation is in force than the message was made for) or 'no memory'.
function M.publish(message)
  local generation = dict:get('generation') or 0
  if not message.full and message.base ~= generation then
    return nil, 'conflict'
  end
  -- Larger than any before, so that no worker takes a new entry for one that it has.
  local stamp = (dict:get('last_stamp') or 0) + 1
  local written, old = {}, {}
  local err = write_aside(message.set, stamp, written)
    or write_small({
      { 'last_stamp', stamp },
      { 'depths', message.depths },
      { 'listed', message.listed },
      { 'generation', generation },
    }, old)
  if err then
    for _, key in ipairs(written) do
      dict:delete(key)
    end
    for index = #old, 1, -1 do
      dict:safe_set(old[index][1], old[index][2])
    end
    return nil, err
  end

  local before = message.full and stamps() or nil
  local past = {}
  for _, change in ipairs(message.set) do
    local prefix = change[1]
    past[#past + 1] = 'entry:' .. prefix .. ':' .. (dict:get('stamp:' .. prefix) or 0)
    dict:safe_set('stamp:' .. prefix, stamp)
    if before then
      before[prefix] = nil
    end
  end
  for prefix, last in pairs(before or {}) do
    dict:delete('stamp:' .. prefix)
    past[#past + 1] = 'entry:' .. prefix .. ':' .. last
  end
  for _, prefix in ipairs(message.remove) do
    local last = dict:get('stamp:' .. prefix)
    dict:delete('stamp:' .. prefix)
    past[#past + 1] = 'entry:' .. prefix .. ':' .. (last or 0)
  end
  -- In this order: who finds it in the dict may be sure that no request misses it (see in-flight.lua).
  routes.tell(message.generation)
  dict:safe_set('generation', message.generation)
  for _, key in ipairs(past) do
    dict:delete(key)
  end
  return true
end

-- Calls back with the name of each dict that may be full one day, its size and what is free of it, in bytes.
function M.each_dict(use)
  for name, one in pairs(ngx.shared) do
    if not name:find('^mcp_fence_') then
      use(name, one:capacity(), one:free_space())
    end
  end
end

return M

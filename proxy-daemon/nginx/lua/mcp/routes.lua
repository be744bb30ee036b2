-- The route table as this worker sees it: entries of the shared dict, decoded once and looked up again only when the
-- generation moved on.
--
-- Keys of the dict `mcp_routes`, all written by publish.lua:
--   generation      number; written last, so whoever sees it sees everything it consists of
--   depths          numbers of path segments that prefixes have, longest first: "2,1,0"
--   stamp:<prefix>  number of the entry in force; absent: no such route
--   entry:<prefix>:<stamp>  the entry, as entry-text.lua reads it
-- There is no timer: each request compares one number, so a change holds for the first request after it, in every worker.
local entry_text = require 'mcp.entry-text'

local dict = ngx.shared.mcp_routes
local entries = {} -- prefix -> { stamp, checked (generation), entry }
local depths = { checked = -1 }
local golden = 0.6180339887498949 -- see choose-version.lua

local M = {}

function M.generation()
  return dict:get('generation') or 0
end

-- The entry of a prefix that is in force at `generation`, or nil.
function M.entry(prefix, generation)
  local known = entries[prefix]
  if known and known.checked == generation then
    return known.entry
  end
  local stamp = dict:get('stamp:' .. prefix)
  if not stamp then
    entries[prefix] = nil
    return nil
  end
  if known and known.stamp == stamp then
    known.checked = generation
    return known.entry
  end
  local text = dict:get('entry:' .. prefix .. ':' .. stamp)
  if not text then
    -- Replaced between the two reads: the next request reads the new one, this one the one before.
    return known and known.entry
  end
  local entry = entry_text.read(text, known and known.entry)
  entries[prefix] = { stamp = stamp, checked = generation, entry = entry }
  return entry
end

local function current_depths(generation)
  if depths.checked ~= generation then
    depths = { checked = generation }
    for depth in (dict:get('depths') or ''):gmatch('%d+') do
      depths[#depths + 1] = tonumber(depth)
    end
  end
  return depths
end

-- The first `depth` segments of a path, without a trailing slash; nil where it has fewer.
local function first_segments(path, depth)
  local at = 1
  for _ = 1, depth do
    local slash = path:find('/', at + 1, true)
    if not slash then
      return (at < #path and _ == depth) and path or nil
    end
    if slash == at + 1 then
      return nil
    end
    at = slash
  end
  return path:sub(1, at - 1)
end

-- The entry with the longest prefix of a decoded path, and that prefix. At depth 0 that is '/'.
function M.lookup(path, generation)
  local all = current_depths(generation)
  for index = 1, #all do
    local depth = all[index]
    local prefix = depth == 0 and '/' or first_segments(path, depth)
    local entry = prefix and M.entry(prefix, generation)
    if entry then
      return entry, prefix
    end
  end
  return nil
end

-- Drops what is kept of prefixes that are gone.
function M.sweep()
  local generation = M.generation()
  for prefix in pairs(entries) do
    M.entry(prefix, generation)
  end
end

-- The next point of a sequence over [0, 1) whose every stretch is evenly spread.
function M.next_point(entry)
  local point = (entry.point + golden) % 1
  entry.point = point
  return point
end

return M

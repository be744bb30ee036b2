-- The route table as this worker sees it: entries of the shared dict, decoded once and looked up again only when the
-- generation moved on.
--
-- Keys of the dict `mcp_routes`, all written by publish.lua:
--   generation      number; written last, so whoever sees it sees everything it consists of
--   depths          numbers of path segments that prefixes have, longest first: "2,1,0"
--   stamp:<prefix>  number of the entry in force; absent: no such route
--   entry:<prefix>:<stamp>  the entry, as entry-text.lua reads it
-- There is no timer: each request compares one number, so a change holds for the first request after it, in every worker.
local ffi = require 'ffi'
local bytes = require 'mcp.bytes'
local entry_text = require 'mcp.entry-text'
local shared_memory = require 'mcp.shared-memory'

local copy_of, index = ffi.string, bytes.index
local slash = ('/'):byte()
local dict = ngx.shared.mcp_routes
local entries = {} -- by prefix, each with its `stamp` and the generation at which that was `checked` last
local depths = { checked = -1 }
local newest -- the generation once more, in memory
local fence -- a dict that only this worker asks, for its lock
local fence_key = 'nothing'
local golden = 0.6180339887498949 -- see choose-version.lua

local M = {}

-- Once, in the master, before there is a generation by this code.
function M.open()
  local memory, is_new = shared_memory.of(dict, ffi.sizeof('double'))
  newest = ffi.cast('double *', memory)
  if is_new then
    newest[0] = dict:get('generation') or 0
  end
end

-- Once in each worker.
function M.start()
  fence = ngx.shared['mcp_fence_' .. ngx.worker.id()]
  -- A key that the dict would refuse unseen (an empty one) would lock nothing.
  local _, problem = fence:get(fence_key)
  assert(problem == nil, problem)
end

-- The generation in force, read under the dict's lock: for whoever reads the counts of requests in flight (see in-flight.lua).
function M.generation()
  return dict:get('generation') or 0
end

-- The same for a request that has just been counted: after a lock that no other worker wants, since one that all want may be held by
-- a worker that has no processor at the moment, and all requests would wait for that.
function M.in_force()
  fence:get(fence_key)
  return newest[0]
end

-- The same without a lock, for a request that will compare it again: all that a generation consists of is there before it is told,
-- and whoever heard that it is in force reads no older one here.
function M.newest()
  return newest[0]
end

-- `generation` is in force: said before the dict says so.
function M.tell(generation)
  newest[0] = generation
end

local function read(prefix, generation, known)
  local stamp = dict:get('stamp:' .. prefix)
  if not stamp then
    entries[prefix] = nil
    return nil
  end
  if known and known.stamp == stamp then
    known.checked = generation
    return known
  end
  local text = dict:get('entry:' .. prefix .. ':' .. stamp)
  if not text then
    -- Replaced between the two reads: the next request reads the new one, this one the one before.
    return known
  end
  local entry = entry_text.read(text, known)
  if entry then
    entry.stamp, entry.checked = stamp, generation
  end
  entries[prefix] = entry
  return entry
end

local function entry_of(prefix, generation)
  local known = entries[prefix]
  if known and known.checked == generation then
    return known
  end
  return read(prefix, generation, known)
end

-- The entry of a prefix that is in force at `generation`, or nil.
M.entry = entry_of

local function read_depths(generation)
  depths = { checked = generation }
  for depth in (dict:get('depths') or ''):gmatch('%d+') do
    depths[#depths + 1] = tonumber(depth)
  end
  return depths
end

local function current_depths(generation)
  return depths.checked == generation and depths or read_depths(generation)
end

-- Where the segment ends that begins behind the slash at `at` (the first byte is at 0): at the next slash, or behind the path; nil where
-- it is empty.
local function end_of_segment(path, length, at)
  if at >= length - 1 then
    return nil
  end
  local ending = index(path, at + 1, length, slash) or length
  return ending > at + 1 and ending or nil
end

-- The same of the first `depth` segments. No loop for the usual depths: LuaJIT compiles what a request does as one piece only
-- where there is none.
local function end_of_segments(path, length, depth)
  local at = end_of_segment(path, length, 0)
  if depth == 1 or not at then
    return at
  end
  at = end_of_segment(path, length, at)
  if depth == 2 or not at then
    return at
  end
  at = end_of_segment(path, length, at)
  for _ = 4, depth do
    at = at and end_of_segment(path, length, at)
  end
  return at
end

local function entry_at(path, length, depth, generation)
  if depth == 0 then
    return entry_of('/', generation)
  end
  local at = end_of_segments(path, length, depth)
  return at and entry_of(copy_of(path, at), generation)
end

-- The entry with the longest prefix of a decoded path of so many bytes. At depth 0 that is '/'.
function M.lookup(path, length, generation)
  local all = current_depths(generation)
  local count = #all
  if count == 0 then
    return nil
  end
  local entry = entry_at(path, length, all[1], generation)
  if entry or count == 1 then
    return entry
  end
  for which = 2, count do
    entry = entry_at(path, length, all[which], generation)
    if entry then
      return entry
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

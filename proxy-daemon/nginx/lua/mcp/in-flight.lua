-- Requests in flight, by instance.
--
-- Each worker alone writes its own counts, so that a worker that dies takes nothing along but its own requests: the daemon
-- forgets the counts of pids that live no more. A count is a number in memory that all workers see; where it is there, the dict
-- says, before the first request is counted. It goes when the instance had no request for a while.
--
-- Keys: "<pid>@<service> <host>:<port>"  the place of a count
--       "<pid> <service> <host>:<port>"  a count itself, of workers that were started with older code and not yet ended
--       "places" how many places were ever given out, "stride" how far they are apart, "free" those given back,
--       "forgetting <key>", "memory"
--
-- What makes a proof of these counts: whoever counts reads the generation afterwards, and whoever reads the counts reads it before. It is
-- written to memory first and then, under its lock, to the dict of routes. The readers of counts take it from the dict; a request that was
-- counted takes it from memory, behind a lock of its worker's own (routes.lua). nginx takes a lock by compare-and-swap, a full barrier, so the
-- count is there for all to see before the generation is read; LuaJIT keeps no value of memory over a call. If that read finds an older
-- generation, it came before the write of the newer one, and whoever finds the newer one in the dict finds the count.
local ffi = require 'ffi'
local shared_memory = require 'mcp.shared-memory'

local dict = ngx.shared.mcp_in_flight
local workers = ngx.shared.mcp_workers
-- What dynamic-config.ts gives the dict for each count.
local bytes_each = 256
-- Each count has a cache line for itself: else processors would take turns at a line of which each wants another count.
local numbers_in_line = 64 / ffi.sizeof('int32_t')
local counts, places, stride
local own = {} -- key -> counter of this worker: { key, name, place (false: given back), used }
local held, most = 0, 0
local prefix = ''
local is_ending = false
local others = { at = 0, prefixes = {} }
local others_fresh_seconds = 0.01

local M = {}

-- Once, in the master.
function M.open()
  places = math.floor(dict:capacity() / bytes_each)
  local memory, is_new = shared_memory.of(dict, places * numbers_in_line * ffi.sizeof('int32_t'))
  counts = ffi.cast('int32_t *', memory)
  if is_new then
    assert(dict:safe_set('stride', numbers_in_line))
  end
  -- Memory that the code before this one made has room for the counts alone.
  stride = dict:get('stride') or 1
end

-- Once, when the worker starts.
function M.init()
  local pid = ngx.worker.pid()
  prefix = pid .. '@'
  -- As dynamic-config.ts reckons: never fewer than it has connections.
  most = math.floor(places / (2 * ngx.worker.count() + 1))
  -- Of a dead worker that had this pid.
  M.forget(tostring(pid))
  workers:set(ngx.worker.id(), pid)
end

local function give_back(name, place)
  dict:delete(name)
  counts[place] = 0
  local ok, err = dict:rpush('free', place)
  if not ok then
    ngx.log(ngx.ERR, 'a place for counts of requests in flight is lost: ', err)
  end
end

local function close(counter)
  give_back(counter.name, counter.place)
  own[counter.key] = nil
  held = held - 1
  counter.place = false
end

local function close_idle()
  for _, counter in pairs(own) do
    if counts[counter.place] == 0 then
      close(counter)
    end
  end
end

local function free_place()
  local place = dict:lpop('free')
  if place then
    return place
  end
  local given = dict:incr('places', 1, 0)
  return given and given <= places and (given - 1) * stride or nil
end

-- The counter of an instance, nil where there is no room.
local function open_counter(peer)
  local key = peer.key
  local counter = own[key]
  if not counter then
    if held >= most then
      close_idle()
    end
    local place = free_place()
    if not place then
      return nil
    end
    counter = { key = key, name = prefix .. key, place = place, used = true }
    if not dict:safe_set(counter.name, place) then
      give_back(counter.name, place)
      return nil
    end
    own[key] = counter
    held = held + 1
  end
  peer.counter = counter
  return counter
end

-- Seldom, so it must not become a part of what LuaJIT compiles for each request: it tries that in vain, again and again.
jit.off(open_counter)

-- One more request at the instance. False where it can't be counted: then it must not be sent there, since nobody could tell
-- when the instance is drained.
function M.begin(peer)
  local counter = peer.counter
  if not counter or not counter.place then
    counter = open_counter(peer)
    if not counter then
      return false
    end
  end
  counter.used = true
  local place = counter.place
  counts[place] = counts[place] + 1
  return true
end

function M.finish(peer)
  local counter = peer.counter
  local place = counter.place
  local count = counts[place] - 1
  counts[place] = count
  if is_ending and count == 0 then
    close(counter)
  end
end

-- Gives back the counters of instances without a request since the last time.
function M.sweep()
  for _, counter in pairs(own) do
    if counter.used then
      counter.used = false
    elseif counts[counter.place] == 0 then
      close(counter)
    end
  end
end

-- The worker ends once its last requests have, and leaves nothing behind.
function M.ending()
  is_ending = true
  close_idle()
end

-- Prefixes of the other workers' keys; read again now and then, since a worker that died has a successor.
local function other_prefixes()
  local now = ngx.now()
  if now - others.at > 1 then
    local prefixes = {}
    for id = 0, ngx.worker.count() - 1 do
      local pid = id ~= ngx.worker.id() and workers:get(id)
      if pid then
        prefixes[#prefixes + 1] = pid .. '@'
      end
    end
    others = { at = now, prefixes = prefixes }
  end
  return others.prefixes
end

local function look_at_others(peer, now)
  local total = 0
  for _, other in ipairs(other_prefixes()) do
    local place = dict:get(other .. peer.key)
    total = total + (place and counts[place] or 0)
  end
  peer.others, peer.others_at = total, now
  return total
end

jit.off(look_at_others)

-- Requests in flight at the instance, from all workers; `now` in seconds. For choosing: exact for what this worker sent, while the
-- others' may be a little old, since to ask for them each time costs more the more workers there are.
function M.total(peer, now)
  local others = now - peer.others_at > others_fresh_seconds and look_at_others(peer, now) or peer.others
  local counter = peer.counter
  if not counter or not counter.place then
    counter = own[peer.key]
  end
  return counter and others + counts[counter.place] or others
end

-- Calls back with pid, key and count of all of them; some are 0.
function M.each(use)
  for _, full in ipairs(dict:get_keys(0)) do
    local pid, kind, key = full:match('^(%d+)([@ ])(.+)$')
    local value = pid and dict:get(full)
    if value then
      use(pid, key, kind == '@' and counts[value] or value)
    end
  end
end

-- Counts of a worker that is dead. Whoever asks twice: no place must be given back twice.
function M.forget(pid)
  for _, full in ipairs(dict:get_keys(0)) do
    local of, kind = full:match('^(%d+)([@ ])')
    if of == pid and kind == ' ' then
      dict:delete(full)
    elseif of == pid and dict:safe_add('forgetting ' .. full, true, 10) then
      local place = dict:get(full)
      if place then
        give_back(full, place)
      end
    end
  end
end

return M

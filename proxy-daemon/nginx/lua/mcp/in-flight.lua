-- Requests in flight, by instance.
--
-- Each worker alone writes its own counts, under its pid, so that a worker that dies takes nothing along but its own
-- requests: the daemon forgets the counts of pids that live no more. A count of zero has no key.
-- Key: "<pid> <service> <host>:<port>".
local dict = ngx.shared.mcp_in_flight
local workers = ngx.shared.mcp_workers
local own = {} -- key -> count in this worker
local prefix = ''
local others = { at = 0, prefixes = {} }
local others_fresh_ms = 10

local M = {}

-- Once, when the worker starts.
function M.init()
  local pid = ngx.worker.pid()
  prefix = pid .. ' '
  workers:set(ngx.worker.id(), pid)
end

-- One more request at the instance. False where it can't be counted: then it must not be sent there, since nobody could tell
-- when the instance is drained.
function M.begin(peer)
  local key = peer.key
  local count = (own[key] or 0) + 1
  local name = peer.counted_as
  if not name then
    name = prefix .. key
    peer.counted_as = name
  end
  if not dict:safe_set(name, count) then
    return false
  end
  own[key] = count
  return true
end

function M.finish(peer)
  local key = peer.key
  local count = (own[key] or 1) - 1
  if count > 0 then
    own[key] = count
    -- An overwrite by a number of the same size takes no new memory, so it can't fail.
    dict:safe_set(peer.counted_as, count)
  else
    own[key] = nil
    dict:delete(peer.counted_as)
  end
end

-- Prefixes of the other workers' keys; read again now and then, since a worker that died has a successor.
local function other_prefixes()
  local now = ngx.now()
  if now - others.at > 1 then
    local prefixes = {}
    for id = 0, ngx.worker.count() - 1 do
      local pid = id ~= ngx.worker.id() and workers:get(id)
      if pid then
        prefixes[#prefixes + 1] = pid .. ' '
      end
    end
    others = { at = now, prefixes = prefixes }
  end
  return others.prefixes
end

local function look_at_others(peer, now)
  local total = 0
  for _, other in ipairs(other_prefixes()) do
    total = total + (dict:get(other .. peer.key) or 0)
  end
  peer.others, peer.others_at = total, now
  return total
end

-- Seldom, so it must not become a part of what LuaJIT compiles for each request: it tries that in vain, again and again.
jit.off(look_at_others)

-- Requests in flight at the instance, from all workers; `now` in ms. For choosing: exact for what this worker sent, while the
-- others' may be a little old, since to ask for them each time costs more the more workers there are.
function M.total(peer, now)
  local others = now - peer.others_at > others_fresh_ms and look_at_others(peer, now) or peer.others
  return others + (own[peer.key] or 0)
end

-- Calls back with pid, key and count of all of them.
function M.each(use)
  for _, full in ipairs(dict:get_keys(0)) do
    local pid, key = full:match('^(%d+) (.+)$')
    local count = dict:get(full)
    if pid and count then
      use(pid, key, count)
    end
  end
end

-- Counts of a worker that is dead.
function M.forget(pid)
  for _, full in ipairs(dict:get_keys(0)) do
    if full:sub(1, #pid + 1) == pid .. ' ' then
      dict:delete(full)
    end
  end
end

return M

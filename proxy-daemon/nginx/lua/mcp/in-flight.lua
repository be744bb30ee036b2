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
  if not dict:safe_set(prefix .. key, count) then
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
    dict:safe_set(prefix .. key, count)
  else
    own[key] = nil
    dict:delete(prefix .. key)
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

-- Requests in flight at the instance, from all workers. For choosing: not exact, and need not be.
function M.total(peer)
  local total = own[peer.key] or 0
  for _, other in ipairs(other_prefixes()) do
    total = total + (dict:get(other .. peer.key) or 0)
  end
  return total
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

-- Counters by service version, since nginx started; they only grow. Key: "<service> <kind> <version>", kind one of
--   n  requests          e  answers of 500 and above       r  further tries
--   c1, c3, c4  answers of 1xx, 3xx, 4xx (2xx are the rest: the usual answer costs no count of its own)
--   s  sum of ms         b<limit>  requests of up to so many ms (the last has no limit: b)
--   copies sent to it (mirror.lua):  ms  answered by the same status    md  by another    mf  not at all    mx  not sent
--                        of those of the same status, bodies of the same shape:  mk    of another:  mv    (the rest was not compared)
--   o  refusals of the gateway's own, which no instance was chosen for: the status stands for the version, - for no service
-- Requests that last as long as the client likes (WebSockets, event streams) count as requests, but not as ms.
--
-- A worker counts in its own memory and adds that to the shared dict some times a second (see init-worker.lua), when it is asked,
-- and before it ends: a worker that is killed loses what it counted since. A count of each request in the dict would cost
-- three locks that all workers want.
local dict = ngx.shared.mcp_figures
local limits = { 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000 }
-- What is counted of nearly each request has a number, which is quicker than its name.
local requests, sum_of_ms, first_bucket = 1, 2, 3
local kinds = { 'n', 's' }
for index, limit in ipairs(limits) do
  kinds[first_bucket + index - 1] = 'b' .. limit
end
kinds[#kinds + 1] = 'b'

local floor = math.floor

local M = {}

-- By "<service> <version>": what was counted since the last flush, by number or name of its kind. A version as entry-text.lua makes
-- it knows its own.
local tallies = {}
local touched = {} -- those with counts
local is_ending = false

-- The numbers of the kinds of requests that took up to so many ms: looked up for nearly all, since this is done for each request.
local bucket_of = {}

local function bucket(ms)
  for index = 1, #limits do
    if ms <= limits[index] then
      return first_bucket + index - 1
    end
  end
  return #kinds
end

for ms = 0, 1000 do
  bucket_of[ms] = bucket(ms)
end

local function tally_for(service, version)
  local name = service .. ' ' .. version.name
  local tally = tallies[name]
  if not tally then
    tally = { service = service, version = version.name, is_touched = false, counts = {}, keys = {} }
    for kind = 1, #kinds do
      tally.counts[kind] = 0
    end
    tallies[name] = tally
  end
  version.tally = tally
  return tally
end

local function add_to(key, value)
  local count, err = dict:incr(key, value)
  if count or err ~= 'not found' then
    return
  end
  -- Never at the cost of another counter: what does not fit is not counted, and that is told.
  local added, why = dict:safe_add(key, value)
  if not added and why == 'exists' then
    dict:incr(key, value)
  elseif not added then
    dict:incr('uncounted', 1)
  end
end

local function add(tally, kind, value)
  local key = tally.keys[kind] or tally.service .. ' ' .. (kinds[kind] or kind) .. ' ' .. tally.version
  tally.keys[kind] = key
  add_to(key, value)
end

local function touched_tally(service, version)
  local tally = version.tally or tally_for(service, version)
  if not tally.is_touched then
    tally.is_touched = true
    touched[#touched + 1] = tally
  end
  return tally
end

local function bump(tally, kind, value)
  local counts = tally.counts
  counts[kind] = (counts[kind] or 0) + value
end

-- Room for the count of what did not fit must be there before anything else.
function M.init()
  dict:safe_add('uncounted', 0)
  dict:safe_add('since', ngx.now() * 1000)
end

-- Adds what this worker has counted to what all have.
function M.flush()
  for index = 1, #touched do
    local tally = touched[index]
    for kind, value in pairs(tally.counts) do
      if value ~= 0 then
        add(tally, kind, value)
        tally.counts[kind] = 0
      end
    end
    tally.is_touched = false
    touched[index] = nil
  end
end

-- The worker ends once its last requests have: each is added at once from now on.
function M.ending()
  is_ending = true
  M.flush()
end

function M.count(service, version, status, ms)
  local tally = touched_tally(service, version)
  local counts = tally.counts
  counts[requests] = counts[requests] + 1
  if status >= 500 then
    bump(tally, 'e', 1)
  elseif status >= 300 or status < 200 then
    bump(tally, 'c' .. floor(status / 100), 1)
  end
  if ms then
    local kind = bucket_of[ms] or bucket(ms)
    counts[kind] = counts[kind] + 1
    counts[sum_of_ms] = counts[sum_of_ms] + ms
  end
  if is_ending then
    M.flush()
  end
end

-- `kind`: one of those of copies of requests (see mirror.lua).
function M.mirrored(service, version, kind)
  bump(touched_tally(service, version), kind, 1)
  if is_ending then
    M.flush()
  end
end

-- A refusal of the gateway's own: no instance was chosen. `service` may be empty or nil, where no route leads.
function M.own(service, status)
  if status >= 400 then
    add_to((service and service ~= '' and service or '-') .. ' o ' .. status, 1)
  end
end

function M.retried(service, version)
  bump(touched_tally(service, version), 'r', 1)
  if is_ending then
    M.flush()
  end
end

-- Calls back with each counter: service, kind, version, value. What other workers counted since their last flush is not in it.
function M.each(use)
  M.flush()
  for _, key in ipairs(dict:get_keys(0)) do
    local service, kind, version = key:match('^(%S+) (%S+) (%S+)$')
    if service then
      use(service, kind, version, dict:get(key) or 0)
    end
  end
end

-- When nginx started (ms), and how many counts did not fit.
function M.about()
  return dict:get('since') or 0, dict:get('uncounted') or 0
end

return M

-- Counters by service version, since nginx started; they only grow. Key: "<service> <kind> <version>", kind one of
--   n  requests          e  answers of 500 and above       r  further tries
--   c1, c3, c4  answers of 1xx, 3xx, 4xx (2xx are the rest: the usual answer costs no count of its own)
--   s  sum of ms         b<limit>  requests of up to so many ms (the last has no limit: b)
--   copies sent to it (mirror.lua):  ms  answered by the same status    md  by another    mf  not at all    mx  not sent
--                        of those of the same status, bodies of the same shape:  mk    of another:  mv    (the rest was not compared)
--   o  refusals of the gateway's own, which no instance was chosen for: the status stands for the version, - for no service
-- Requests that last as long as the client likes (WebSockets, event streams) count as requests, but not as ms.
local dict = ngx.shared.mcp_figures
local limits = { 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000 }

local M = {}

local kinds = setmetatable({}, {
  -- Keys are made once per version, not per request.
  __mode = 'k',
  __index = function(all, version)
    local made = {}
    all[version] = made
    return made
  end,
})

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

local function add(service, version, kind, value)
  local keys = kinds[version]
  local key = keys[kind]
  if not key then
    key = service .. ' ' .. kind .. ' ' .. version.name
    keys[kind] = key
  end
  add_to(key, value)
end

local function bucket(ms)
  for index = 1, #limits do
    if ms <= limits[index] then
      return 'b' .. limits[index]
    end
  end
  return 'b'
end

-- Room for the count of what did not fit must be there before anything else.
function M.init()
  dict:safe_add('uncounted', 0)
  dict:safe_add('since', ngx.now() * 1000)
end

function M.count(service, version, status, ms)
  add(service, version, 'n', 1)
  if status >= 500 then
    add(service, version, 'e', 1)
  elseif status >= 300 or status < 200 then
    add(service, version, 'c' .. math.floor(status / 100), 1)
  end
  if ms then
    add(service, version, bucket(ms), 1)
    add(service, version, 's', ms)
  end
end

-- `kind`: one of those of copies of requests (see mirror.lua).
function M.mirrored(service, version, kind)
  add(service, version, kind, 1)
end

-- A refusal of the gateway's own: no instance was chosen. `service` may be empty or nil, where no route leads.
function M.own(service, status)
  if status >= 400 then
    add_to((service and service ~= '' and service or '-') .. ' o ' .. status, 1)
  end
end

function M.retried(service, version)
  add(service, version, 'r', 1)
end

-- Calls back with each counter: service, kind, version, value.
function M.each(use)
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

-- Counts calls of single operations, those that somebody asks about. While nobody does a request pays for asking whether somebody
-- does. Kept beside the figures, under keys that these pass over: "op <service> <method> <template>".
local dict = ngx.shared.mcp_figures
local by_service = false
local known = ''

local M = {}

local function lines_of(text)
  local found = {}
  for service, method, pattern, template in text:gmatch('(%S+) (%S+) (%S+) (%S+)\n') do
    found[#found + 1] = { service = service, method = method, pattern = pattern, name = service .. ' ' .. method .. ' ' .. template }
  end
  return found
end

-- Takes over what was asked for since, which another worker was told.
local function refresh()
  local text = dict:get('watched') or ''
  if text == known then
    return
  end
  known = text
  by_service = false
  for _, line in ipairs(lines_of(text)) do
    by_service = by_service or {}
    by_service[line.service] = by_service[line.service] or {}
    table.insert(by_service[line.service], line)
  end
end

function M.is_any()
  return by_service ~= false
end

-- In each worker.
function M.start()
  refresh()
  ngx.timer.every(1, function(premature)
    if not premature then
      refresh()
    end
  end)
end

-- `rest`: what its instance was asked for, with the query.
function M.count(service, method, rest)
  local lines = by_service[service]
  if not lines then
    return
  end
  local path = rest:match('^[^?]*')
  for _, line in ipairs(lines) do
    if line.method == method and path:find(line.pattern) then
      -- Both are there since it was asked for, so neither takes room.
      dict:incr('op ' .. line.name, 1)
      dict:safe_set('op-last ' .. line.name, ngx.now() * 1000)
    end
  end
end

-- Never at the cost of what is counted already.
local function keep(key, value)
  local ok, err = dict:safe_set(key, value)
  if not ok then
    ngx.log(ngx.ERR, 'no room to count calls, ', key, ': ', err)
  end
end

-- `text`: lines "<service> <method> <pattern> <template>"; what is not in it any more is forgotten.
function M.ask(text)
  local before = {}
  for _, line in ipairs(lines_of(dict:get('watched') or '')) do
    before[line.name] = true
  end
  for _, line in ipairs(lines_of(text)) do
    if not before[line.name] then
      keep('op-since ' .. line.name, ngx.now() * 1000)
      keep('op-last ' .. line.name, 0)
      keep('op ' .. line.name, 0)
    end
    before[line.name] = nil
  end
  for name in pairs(before) do
    dict:delete('op-since ' .. name)
    dict:delete('op-last ' .. name)
    dict:delete('op ' .. name)
  end
  keep('watched', text)
  refresh()
end

-- Calls back with each: service, method and template as one word each, the count, since when and when last (ms; 0: never).
function M.each(use)
  for _, line in ipairs(lines_of(dict:get('watched') or '')) do
    local since, last = dict:get('op-since ' .. line.name), dict:get('op-last ' .. line.name)
    use(line.name, dict:get('op ' .. line.name) or 0, since or 0, last or 0)
  end
end

return M

-- What the daemon asks and tells over the unix socket, which only its own user can reach. Text, one fact a line.
local figures = require 'mcp.figures'
local health = require 'mcp.health'
local in_flight = require 'mcp.in-flight'
local message_text = require 'mcp.message-text'
local publish = require 'mcp.publish'
local routes = require 'mcp.routes'
local watched = require 'mcp.watched'

local function body()
  ngx.req.read_body()
  local data = ngx.req.get_body_data()
  if data then
    return data
  end
  local path = ngx.req.get_body_file()
  local file = path and io.open(path, 'rb')
  if not file then
    return ''
  end
  data = file:read('*a')
  file:close()
  return data
end

local function state()
  local lines = { 'generation ' .. routes.generation() }
  publish.each_dict(function(name, capacity, free)
    lines[#lines + 1] = 'dict ' .. name .. ' ' .. capacity .. ' ' .. free
  end)
  return 200, lines
end

-- The generation is read first: what was counted before it was written is in the counts.
local function in_flight_now()
  local lines = { 'generation ' .. routes.generation() }
  in_flight.each(function(pid, key, count)
    lines[#lines + 1] = 'in-flight ' .. pid .. ' ' .. count .. ' ' .. key
  end)
  for _, endpoint in ipairs(health.list()) do
    lines[#lines + 1] = 'down ' .. endpoint
  end
  return 200, lines
end

local function all_figures()
  local since, uncounted = figures.about()
  local lines = { 'since ' .. math.floor(since), 'uncounted ' .. uncounted }
  figures.each(function(service, kind, version, value)
    lines[#lines + 1] = 'count ' .. service .. ' ' .. version .. ' ' .. kind .. ' ' .. math.floor(value + 0.5)
  end)
  return 200, lines
end

local function publish_message()
  local ok, err
  message_text.each(body(), function(message)
    ok, err = publish.publish(message)
  end)
  if ok then
    return 200, {}
  end
  return err == 'conflict' and 409 or err and 507 or 400, { err or 'no message' }
end

local function watched_now()
  local lines = {}
  watched.each(function(name, count, since, last)
    lines[#lines + 1] = ('watched %s %d %d %d'):format(name, count, since, last)
  end)
  return 200, lines
end

local function watch()
  watched.ask(body())
  return 200, {}
end

local function forget()
  in_flight.forget((ngx.var.arg_pid or ''):match('^%d+$') or '-')
  return 200, {}
end

local calls = {
  ['GET /state'] = state,
  ['GET /in-flight'] = in_flight_now,
  ['GET /figures'] = all_figures,
  ['GET /watched'] = watched_now,
  ['POST /watched'] = watch,
  ['POST /publish'] = publish_message,
  ['POST /forget'] = forget,
}

local call = calls[ngx.req.get_method() .. ' ' .. ngx.var.uri]
if not call then
  return ngx.exit(404)
end
local status, lines = call()
ngx.status = status
lines[#lines + 1] = ''
local text = table.concat(lines, '\n')
-- So that the daemon can tell an answer that was cut off.
ngx.header.content_length = #text
ngx.print(text)

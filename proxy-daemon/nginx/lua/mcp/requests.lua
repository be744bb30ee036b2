-- What is known of each request under way in this worker, by where nginx keeps the request: no two have the same place at a
-- time, and the end of each is told (at-log.lua). Not ngx.ctx: that is lost where an error is worded in another location,
-- and then nobody would count the request as ended.
local base = require 'resty.core.base'
local ffi = require 'ffi'

local cast = ffi.cast
local get_request = base.get_request
local number = ffi.typeof('uintptr_t')
local requests = {}

local M = {}

-- The number of the current request.
local function place()
  return tonumber(cast(number, get_request()))
end

-- Of requests that have ended, to be used again: a table for each would be a third of the garbage.
local spare = {}
local spares = 0
local most_spare = 1024

-- A request for a service by the routes of a generation. Its usual fields are all named here: a table is made once for them.
function M.new(prefix, entry, generation)
  if spares > 0 then
    local request = spare[spares]
    spares = spares - 1
    request.prefix, request.entry, request.generation = prefix, entry, generation
    return request
  end
  return {
    prefix = prefix,
    entry = entry,
    generation = generation,
    -- When it was first given to an instance, in seconds; which instance; whether it is counted as in flight there.
    began = false,
    peer = false,
    counted = false,
    -- The version that was chosen, and of which entry.
    version = false,
    chosen_of = false,
  }
end

function M.add(request)
  requests[place()] = request
end

function M.current()
  return requests[place()]
end

-- The request, which has ended; nil where there is none or it was taken before.
function M.take()
  local at = place()
  local request = requests[at]
  if request then
    requests[at] = nil
  end
  return request
end

-- Nobody looks at the request any more. One that has other than the usual fields is not used again.
function M.drop(request)
  if spares == most_spare or request.choice or request.tried or request.lasting or request.uri then
    return
  end
  -- As a new one, and it holds no routes that are gone.
  request.prefix, request.entry, request.generation = false, false, false
  request.began, request.peer, request.counted = false, false, false
  request.version, request.chosen_of = false, false
  spares = spares + 1
  spare[spares] = request
end

-- All of them, by number.
function M.all()
  return requests
end

return M

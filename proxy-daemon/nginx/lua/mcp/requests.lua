-- What is known of each request under way in this worker, by where nginx keeps the request: no two have the same place at a
-- time, and the end of each is told (at-log.lua). Not ngx.ctx: that is lost where an error is worded in another location,
-- and then nobody would count the request as ended.
local base = require 'resty.core.base'
local ffi = require 'ffi'

local cast = ffi.cast
local get_request = base.get_request
local number = ffi.typeof('uintptr_t')
local tonumber = tonumber
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

-- A request for a service by the routes of a generation. Its usual fields are all named here: a table is made once for them. There
-- are eight, since with one more it would be twice as large.
function M.new(entry, generation)
  if spares > 0 then
    local request = spare[spares]
    spares = spares - 1
    request.entry, request.generation = entry, generation
    return request
  end
  return {
    entry = entry,
    generation = generation,
    -- When it was first given to an instance, in seconds; which instance; whether it is counted as in flight there.
    began = false,
    peer = false,
    counted = false,
    -- The version that was chosen of the entry.
    version = false,
    -- It has no other fields than these.
    is_usual = true,
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
  if spares == most_spare or not request.is_usual then
    return
  end
  -- As a new one, and it holds no routes that are gone.
  request.entry, request.generation, request.began = false, false, false
  request.peer, request.counted, request.version = false, false, false
  spares = spares + 1
  spare[spares] = request
end

-- All of them, by number.
function M.all()
  return requests
end

return M

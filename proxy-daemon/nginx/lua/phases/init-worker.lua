-- Once in each worker.
local choice = require 'mcp.choice'
local figures = require 'mcp.figures'
local in_flight = require 'mcp.in-flight'
local routes = require 'mcp.routes'
local streams = require 'mcp.streams'
local watched = require 'mcp.watched'

math.randomseed(ngx.worker.pid() + ngx.now() * 1000)
in_flight.init()
routes.start()
choice.init()
watched.start()

-- Only for what no request would do: ending connections that last, telling all what this worker counted, and forgetting routes
-- that are gone.
local swept = 0
ngx.timer.every(0.25, function(premature)
  if premature then
    in_flight.ending()
    return figures.ending()
  end
  figures.flush()
  in_flight.sweep()
  streams.close_overdue(ngx.now() * 1000)
  swept = swept + 1
  if swept % 240 == 0 then
    routes.sweep()
  end
end)

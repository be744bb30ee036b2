-- Once in the master, before there are workers.
local figures = require 'mcp.figures'
local in_flight = require 'mcp.in-flight'
local routes = require 'mcp.routes'
local snapshot = require 'mcp.snapshot'

require 'mcp.at-rewrite'
require 'mcp.at-balancer'
require 'mcp.at-log'

figures.init()
in_flight.open()
routes.open()
-- This file is <gateway>/lua/phases/init.lua.
local dir = debug.getinfo(1, 'S').source:match('^@(.*)/lua/phases/init%.lua$')
snapshot.load(dir .. '/tables')

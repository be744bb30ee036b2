-- Once in the master, before there are workers.
local figures = require 'mcp.figures'
local in_flight = require 'mcp.in-flight'
local routes = require 'mcp.routes'
local snapshot = require 'mcp.snapshot'

-- What is done for each request, as functions that nginx.conf calls by these names: a file would be looked up each time, and LuaJIT
-- compiles functions alone.
mcp_at_rewrite = require 'mcp.at-rewrite'
mcp_at_balancer = require 'mcp.at-balancer'
mcp_at_log = require 'mcp.at-log'

figures.init()
in_flight.open()
routes.open()
-- This file is <gateway>/lua/phases/init.lua.
local dir = debug.getinfo(1, 'S').source:match('^@(.*)/lua/phases/init%.lua$')
snapshot.load(dir .. '/tables')

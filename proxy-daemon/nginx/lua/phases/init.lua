-- Once in the master, before there are workers.
local figures = require 'mcp.figures'
local snapshot = require 'mcp.snapshot'

require 'mcp.at-rewrite'
require 'mcp.at-balancer'
require 'mcp.at-log'

figures.init()
-- This file is <gateway>/lua/phases/init.lua.
local dir = debug.getinfo(1, 'S').source:match('^@(.*)/lua/phases/init%.lua$')
snapshot.load(dir .. '/tables')

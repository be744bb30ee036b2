-- Once in the master, before there are workers.
local figures = require 'mcp.figures'
local snapshot = require 'mcp.snapshot'

require 'mcp.pick'
require 'mcp.requests'
require 'mcp.streams'

figures.init()
-- This file is <gateway>/lua/phases/init.lua.
local dir = debug.getinfo(1, 'S').source:match('^@(.*)/lua/phases/init%.lua$')
snapshot.load(dir .. '/tables')

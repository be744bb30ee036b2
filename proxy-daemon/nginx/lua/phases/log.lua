-- The end of every request, however it ended.
require('mcp.at-log')()

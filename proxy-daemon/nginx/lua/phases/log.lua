-- The end of every request, however it ended.
package.loaded['mcp.at-log']()

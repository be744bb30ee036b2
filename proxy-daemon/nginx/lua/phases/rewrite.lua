-- Which service a request is for. What is done for each request is a function that was loaded once: LuaJIT compiles those, not files.
package.loaded['mcp.at-rewrite']()

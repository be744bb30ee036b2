-- Once for each try of a request.
package.loaded['mcp.at-balancer']()

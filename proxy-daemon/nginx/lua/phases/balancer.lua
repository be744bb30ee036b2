-- Once for each try of a request.
require('mcp.at-balancer')()

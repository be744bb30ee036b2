-- Which version of a service a request goes to.
--
-- The point that moves by the golden ratio is the sequence with the smallest discrepancy there is: after N requests of a
-- worker each version is off by at most about log(N), where random numbers would be off by sqrt(N). It needs no shared
-- state, and it goes on through every change of weights.
local routes = require 'mcp.routes'

local M = {}

-- The version, or nil where the service has no instance.
function M.choose(entry)
  local versions = entry.versions
  local count = #versions
  if count < 2 then
    return versions[1]
  end
  local point = routes.next_point(entry)
  -- Nearly always there are two: without a loop (see routes.lua).
  if point < versions[1].upto then
    return versions[1]
  end
  if count == 2 or point < versions[2].upto then
    return versions[2]
  end
  for index = 3, count do
    if point < versions[index].upto then
      return versions[index]
    end
  end
end

return M

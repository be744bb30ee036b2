-- The ids of requests whose clients send none. nginx draws 16 random bytes for each, which costs more than all that chooses an
-- instance; here a worker takes the half of its first id from nginx, and counts on in the other half.
--
-- Counted in steps of 2^32 by the golden ratio, a sequence that meets each number once before it begins anew: so whoever samples or
-- spreads by some digits of an id finds them even. Unique, that is, and no secret.
local bit = require 'bit'
local variables = require 'mcp.variables'

local tobit, tohex, sub = bit.tobit, bit.tohex, string.sub
local get, set = variables.get, variables.set
local step = 0x9e3779b9
local worker = false
local high, low = 0, 0

local M = {}

-- Gives the current request its id: $mcp_request_id, which nginx would else look up (requestMaps in http-parts.ts) when it is wanted.
function M.give()
  if get('http_x_request_id') then
    return
  end
  if not worker then
    worker = sub(get('request_id'), 1, 16)
  end
  low = tobit(low + step)
  if low == 0 then
    high = tobit(high + 1)
  end
  set('mcp_request_id', worker .. tohex(high) .. tohex(low))
end

return M

-- The ids of requests whose clients send none. nginx draws 16 random bytes for each, which costs more than all that chooses an
-- instance; here a worker takes the half of its first id from nginx, and counts on in the other half.
--
-- Counted in steps of 2^32 by the golden ratio, a sequence that meets each number once before it begins anew: so whoever samples or
-- spreads by some digits of an id finds them even. Unique, that is, and no secret.
local bit = require 'bit'
local ffi = require 'ffi'
local variables = require 'mcp.variables'

local band, rshift, tobit, tohex = bit.band, bit.rshift, bit.tobit, bit.tohex
local peek, set = variables.peek, variables.set
local step = 0x9e3779b9
local digits = 32
local id = ffi.new('uint16_t[?]', digits / 2) -- two digits in each, see `pairs_of_digits`
local id_bytes = ffi.cast('unsigned char *', id)
local has_begun = false
local high, low = 0, 0

-- The two digits of each byte, as they lie in memory.
local pairs_of_digits = ffi.new('uint16_t[256]')
for byte = 0, 255 do
  ffi.copy(pairs_of_digits + byte, tohex(byte, 2), 2)
end

local M = {}

-- Writes eight digits, that is four pairs from `at` on.
local function write(at, number)
  id[at] = pairs_of_digits[rshift(number, 24)]
  id[at + 1] = pairs_of_digits[band(rshift(number, 16), 255)]
  id[at + 2] = pairs_of_digits[band(rshift(number, 8), 255)]
  id[at + 3] = pairs_of_digits[band(number, 255)]
end

local function begin()
  has_begun = true
  ffi.copy(id_bytes, variables.get('request_id'), digits / 2)
  write(8, high)
end

-- Gives the current request its id: $mcp_request_id, which nginx would else look up (requestMaps in http-parts.ts) when it is wanted.
function M.give()
  if peek('http_x_request_id') then
    return
  end
  if not has_begun then
    begin()
  end
  low = tobit(low + step)
  if low == 0 then
    high = tobit(high + 1)
    write(8, high)
  end
  write(12, low)
  set('mcp_request_id', id_bytes, digits)
end

return M

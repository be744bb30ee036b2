-- Bytes where nginx holds them: a place and a length instead of a Lua string. See variables.lua.
local ffi = require 'ffi'

ffi.cdef([[
void *memchr(const void *from, int byte, size_t length);
void *memmem(const void *from, size_t length, const void *wanted, size_t wanted_length);
]])

local C, cast = ffi.C, ffi.cast
local bytes_at = ffi.typeof('unsigned char *')
local tonumber = tonumber

local M = {}

-- How many bytes before the first such one there are, of those from `from` (counted from 0, not behind `length`) up to `length`; nil
-- where there is none.
function M.index(bytes, from, length, byte)
  local place = C.memchr(bytes + from, byte, length - from)
  return place ~= nil and tonumber(cast(bytes_at, place) - bytes) or nil
end

-- Whether the bytes of a string are among them.
function M.has(bytes, length, wanted)
  return C.memmem(bytes, length, wanted, #wanted) ~= nil
end

return M

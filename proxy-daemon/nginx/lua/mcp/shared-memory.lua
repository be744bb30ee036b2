-- Plain memory that all workers of a master read and write: where a number is changed by one worker alone, or where it is enough
-- that others see it soon. It has no lock; what needs an order among workers needs one of a dict's operations besides.
local ffi = require 'ffi'

ffi.cdef([[
void *mmap(void *address, size_t length, int protection, int flags, int fd, long offset);
]])

local read_and_write = 1 + 2
local shared_and_anonymous = 0x01 + 0x20
local failed = ffi.cast('void *', -1)

local M = {}

-- Memory of so many bytes that lives as long as `dict` does, all zero at first; and whether it is new. In the master alone: the
-- dict outlives a reload, and so does the master, of whom all workers inherit the place.
function M.of(dict, bytes)
  local place = dict:get('memory')
  if place then
    return ffi.cast('void *', ffi.cast('uintptr_t', place)), false
  end
  local memory = ffi.C.mmap(nil, bytes, read_and_write, shared_and_anonymous, -1, 0)
  assert(memory ~= failed, 'no memory to share among workers')
  assert(dict:safe_set('memory', tonumber(ffi.cast('uintptr_t', memory))))
  return memory, true
end

return M

-- What a request asks nginx for, and tells it. Values are handed on as nginx holds them, by place and length: a Lua string of each would
-- be work and garbage for every request, and a table of all strings that is now and then arranged anew while all requests wait.
--
-- LuaJIT compiles a call of a local function as that function; what is looked up in a table (`ngx.var.name`, `ngx.status`) it checks
-- each time.
local base = require 'resty.core.base'
local ffi = require 'ffi'
require 'resty.core.var' -- declares the two functions of the Lua module that are called here

local C, copy_of = ffi.C, ffi.string
local get_request = base.get_request
local read, write = C.ngx_http_lua_ffi_var_get, C.ngx_http_lua_ffi_var_set
local ngx, get_own = ngx, getmetatable(ngx).__index
local assert, tonumber = assert, tonumber

local longest_name = 64 -- nginx writes names here in lower case
local name_room = ffi.new('unsigned char[?]', longest_name)
local value, value_length = ffi.new('unsigned char *[1]'), ffi.new('size_t[1]')
local problem_size = 256
local problem, problem_length = ffi.new('unsigned char[?]', problem_size), ffi.new('size_t[1]')
local problem_text = ffi.new('char *[1]')

local M = {}

-- Of a name that is written out where it is asked for, LuaJIT knows the answer when it compiles.
local function length_of(name)
  assert(#name <= longest_name, 'the name of a variable is too long')
  return #name
end

-- Where nginx holds the value and how long it is, until the request ends or the variable is set; nil where there is none.
function M.peek(name)
  if read(get_request(), name, length_of(name), name_room, 0, value, value_length, problem_text) ~= 0 then
    return nil, 0
  end
  return value[0], tonumber(value_length[0])
end

local peek = M.peek

-- nil where nginx has none by that name.
function M.get(name)
  local bytes, length = peek(name)
  return bytes and copy_of(bytes, length)
end

-- `bytes`: a place of so many bytes, or a string of that length.
function M.set(name, bytes, length)
  problem_length[0] = problem_size
  if write(get_request(), name, length_of(name), name_room, bytes, length, problem, problem_length) ~= 0 then
    error(copy_of(problem, problem_length[0]))
  end
end

function M.status()
  return get_own(ngx, 'status')
end

return M

-- What a request asks nginx for, without the way that `ngx.var.name` and `ngx.status` take each time: through a metatable, and through
-- tables of functions. LuaJIT compiles a call of a local function as that function; what is looked up in a table it checks each time.
local ngx, var = ngx, ngx.var
local get, set = getmetatable(var).__index, getmetatable(var).__newindex
local get_own = getmetatable(ngx).__index

local M = {}

-- nil where nginx has none by that name.
function M.get(name)
  return get(var, name)
end

function M.set(name, value)
  set(var, name, value)
end

function M.status()
  return get_own(ngx, 'status')
end

return M

-- The front doors of services, as this configuration has them: read once, when nginx reads its configuration, so that a
-- worker never has other doors than locations. The other side is nginx/door-table.ts. One line of fields between tabs:
--   log: requests are logged, so $mcp_version is wanted
--   door <service> <place> <place for what lasts> <variable of what is behind the place for its operation, or ->
--   gate <whole place> <variable of the key's header, or -> <keys>
--   key <keys> <client> <sha256 of its key, hex>
local ffi = require 'ffi'

ffi.cdef([[
unsigned char *SHA256(const unsigned char *data, size_t length, unsigned char *digest);
int CRYPTO_memcmp(const void *a, const void *b, size_t length);
]])

local digest = ffi.new('unsigned char[32]')
-- Shorter ones could be guessed from their hash.
local shortest, longest = 32, 512
local doors = {}
local gates = {}
local keys = {}

local M = {}

local function bytes_of(hex)
  return (hex:gsub('%x%x', function(pair)
    return string.char(tonumber(pair, 16))
  end))
end

-- Once, in the master. Without its file nginx must not start: doors would stand open.
function M.open(name)
  -- This file is <gateway>/lua/mcp/doors.lua.
  local dir = debug.getinfo(1, 'S').source:match('^@(.*)/lua/mcp/doors%.lua$')
  local file = assert(io.open(dir .. '/doors/' .. name, 'rb'))
  for line in file:lines() do
    local fields = {}
    for field in (line .. '\t'):gmatch('([^\t]*)\t') do
      fields[#fields + 1] = field
    end
    if fields[1] == 'log' then
      M.is_logging = true
    elseif fields[1] == 'door' then
      local operation = fields[5] ~= '-' and fields[5] or nil
      doors[fields[2]] = { place = fields[3], stream_place = fields[4], operation = operation }
    elseif fields[1] == 'gate' then
      local variable = fields[3] ~= '-' and fields[3] or nil
      keys[fields[4]] = keys[fields[4]] or {}
      gates[fields[2]] = { variable = variable, keys = keys[fields[4]] }
    elseif fields[1] == 'key' then
      local known = keys[fields[2]]
      known[#known + 1] = { client = fields[3], digest = bytes_of(fields[4]) }
    end
  end
  file:close()
end

-- The door of a service, nil where it has none.
function M.of(service)
  return doors[service]
end

-- What is checked at a place; nil where nobody knows it.
function M.gate(place)
  return gates[place]
end

-- The client whose key this is, or nil. All keys are compared, each in the same time whatever differs.
function M.client(gate, key)
  if not key or #key < shortest or #key > longest then
    return nil
  end
  ffi.C.SHA256(key, #key, digest)
  local client
  for _, known in ipairs(gate.keys) do
    if ffi.C.CRYPTO_memcmp(digest, known.digest, 32) == 0 then
      client = known.client
    end
  end
  return client
end

return M

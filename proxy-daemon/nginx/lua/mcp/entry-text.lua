-- From the text of one service's entry to what the request path uses. The other side is routes/service-entry.ts.
--
-- One line of fields separated by tabs, of values that hold neither tabs nor line ends: nothing here is ever run.
--   service prefix protocol connect,send,read(ms or -) retries budget any-method(0 1) down-ms slow-ms grace-ms
-- and then for each version: name share near-peers far-peers, a peer being address,port,since(ms) and `;` between two.
-- A version of share 0 gets what asks for it, and else nothing. One field more at the end is for choice-text.lua.
local choice_text = require 'mcp.choice-text'
local doors = require 'mcp.doors'
local retry_budget = require 'mcp.retry-budget'

local M = {}

-- '127.0.0.1', '::1' -> what set_current_peer takes
local function host_of(address)
  return address:find(':', 1, true) and '[' .. address .. ']' or address
end

local function read_peers(text, service, version, live)
  local peers = {}
  for address, port, since in text:gmatch('([%x.:]+),(%d+),(%d+)') do
    local host = host_of(address)
    local endpoint = host .. ':' .. port
    local peer = {
      host = host,
      port = tonumber(port),
      since = tonumber(since),
      endpoint = endpoint,
      key = service .. ' ' .. endpoint,
      version = version,
      -- See in-flight.lua.
      counter = false,
      -- What other workers had in flight there when that was looked at last.
      others = 0,
      others_at = 0,
    }
    peers[#peers + 1] = peer
    live[peer.key] = true
    version.oldest = math.min(version.oldest, peer.since)
    version.newest = math.max(version.newest, peer.since)
  end
  return peers
end

local function read_timeouts(text)
  local connect, send, read = text:match('^(%d+),(%d+),(%d+)$')
  return connect and { connect / 1000, send / 1000, read / 1000 } or nil
end

local function fields_of(text)
  local fields = {}
  for field in (text .. '\t'):gmatch('([^\t]*)\t') do
    fields[#fields + 1] = field
  end
  return fields
end

-- The entry, or nil where the text is none. `before`: the service's entry until now.
function M.read(text, before)
  local fields = fields_of(text)
  if #fields < 10 then
    return nil
  end
  local entry = {
    service = fields[1],
    -- What it is found by, and what of it is not passed on.
    route = fields[2],
    prefix = fields[2] == '/' and '' or fields[2],
    protocol = fields[3],
    -- False where there is none, so that each entry has all of its fields.
    door = doors.of(fields[1]) or false,
    timeouts = read_timeouts(fields[4]) or false,
    choice = false,
    retries = tonumber(fields[5]),
    budget = tonumber(fields[6]),
    any_method = fields[7] == '1',
    down_seconds = tonumber(fields[8]) / 1000,
    slow_ms = tonumber(fields[9]),
    grace_ms = tonumber(fields[10]),
    versions = {},
    -- Keys of the instances that may get requests.
    live = {},
    -- Taken over: a change must not start the sequence anew, or the first version gets more.
    point = before and before.point or math.random(),
    tokens = before and before.tokens or retry_budget.cap,
    refilled = before and before.refilled or ngx.now(),
  }
  -- Not served by the place that all requests come to: see at-rewrite.lua.
  entry.is_unusual = entry.door ~= false or entry.protocol ~= 'http' or entry.any_method
  local reached = 0
  local at_zero = {}
  for at = 11, #fields - 3, 4 do
    local share = tonumber(fields[at + 1])
    reached = reached + share
    local version = { name = fields[at], share = share, upto = reached, oldest = math.huge, newest = 0, tally = false }
    version.near = read_peers(fields[at + 2], entry.service, version, entry.live)
    version.far = read_peers(fields[at + 3], entry.service, version, entry.live)
    -- When some of its instances get less than others: not while all are new, nor when none is new any more.
    version.uneven_from, version.uneven_until = version.oldest + entry.slow_ms, version.newest + entry.slow_ms
    local versions = share > 0 and entry.versions or at_zero
    versions[#versions + 1] = version
  end
  if #entry.versions > 0 then
    entry.versions[#entry.versions].upto = math.huge
    if (#fields - 10) % 4 == 1 then
      entry.choice = choice_text.read(fields[#fields], entry, at_zero, before and before.choice)
    end
  end
  return entry
end

return M

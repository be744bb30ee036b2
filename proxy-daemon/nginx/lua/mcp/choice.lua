-- Which version a request goes to, where its service declares more than weights: what the client asks for by a header, what
-- its operation is split to, and the same version for the same client while the weights stand.
--
-- A client's version is chosen by weighted rendezvous hashing (Thaler and Ravishankar 1998; with weights: Schindelhauer and
-- Schomaker 2005): each version gets -ln(h) / share, h being the hash of client and version in (0, 1), and the smallest wins.
-- So a client moves from one version to another only where the other one's share grew against the one's: a change of one
-- version's weight moves what must move and no client more. Sections of [0, 1) would hand on clients from neighbour to neighbour.
local choose_version = require 'mcp.choose-version'
local routes = require 'mcp.routes'

local var = ngx.var
local month = 30 * 24 * 3600
local longest_version = 40

local M = {}

local salt = ''

-- Once in each worker, after math.randomseed.
function M.init()
  salt = ngx.worker.pid() .. ':' .. math.random()
end

-- The client's mark, which it gets where it has none.
local function cookie_of(entry, choice)
  local mark = var['cookie_' .. choice.cookie]
  if mark and #mark == 32 and mark:find('^%x+$') then
    return mark
  end
  mark = ngx.md5(salt .. var.request_id)
  -- Only where it will decide something.
  if #entry.versions > 1 or #choice.splits > 0 then
    local secure = var.scheme == 'https' and '; Secure' or ''
    local path = entry.prefix == '' and '/' or entry.prefix
    ngx.header['Set-Cookie'] = choice.cookie
      .. '='
      .. mark
      .. '; Path='
      .. path
      .. '; Max-Age='
      .. month
      .. '; HttpOnly; SameSite=Lax'
      .. secure
  end
  return mark
end

local function key_of(entry, choice)
  local sticky = choice.sticky
  if not sticky then
    return nil
  end
  if sticky == 'cookie' then
    return cookie_of(entry, choice)
  end
  local key = var[sticky == 'client' and 'remote_addr' or sticky]
  return key ~= '' and key or nil
end

-- What the current request says about the version that it wants. `path`: what is behind the prefix, not decoded.
function M.said(entry, path)
  local choice = entry.choice
  local asked = choice.override and var[choice.override]
  if asked and asked ~= '' then
    return { asked = asked:sub(1, longest_version + 1) }
  end
  local said = { key = key_of(entry, choice) }
  if #choice.splits > 0 then
    said.method = ngx.req.get_method()
    said.path = path == '' and '/' or path
  end
  return said
end

local function split_of(choice, said)
  for _, split in ipairs(choice.splits) do
    if split.method == said.method and said.path:find(split.pattern) then
      return split
    end
  end
  return nil
end

-- 48 bits of a hash, in (0, 1).
local function unit(text)
  local a, b, c, d, e, f = ngx.md5_bin(text):byte(1, 6)
  return (((((a * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 256 + f + 0.5) / 2 ^ 48
end

local function by_key(shares, key, service)
  local best, least = nil, math.huge
  for _, one in ipairs(shares) do
    if one.share > 0 then
      local score = -math.log(unit(key .. '\0' .. service .. '\0' .. one.version.name)) / one.share
      if score < least then
        best, least = one.version, score
      end
    end
  end
  return best
end

-- Evenly spread, as in choose-version.lua.
local function by_point(split)
  local point = routes.next_point(split)
  local last
  for _, one in ipairs(split.shares) do
    point = point - one.share
    if one.share > 0 then
      if point < 0 then
        return one.version
      end
      last = one.version
    end
  end
  return last
end

-- The version, or nil where the one asked for has no instance; then also the only versions that may answer.
function M.choose(entry, said)
  local choice = entry.choice
  if said.asked then
    return choice.names[said.asked], choice.alone[said.asked]
  end
  local split = said.path and split_of(choice, said)
  if said.key then
    return by_key((split or choice).shares, said.key, entry.service)
  end
  if split then
    return by_point(split)
  end
  return choose_version.choose(entry)
end

return M

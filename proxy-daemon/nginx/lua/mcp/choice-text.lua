-- From the text of how versions are chosen to what choice.lua uses. The other side is routes/choice-text.ts.
--   sticky=cookie | sticky=client | sticky=<variable>      override=<variable>
--   mirror=<version>:<percent>
--   split=<method>,<path with * for its parameters>,<version>:<percent>;...
local M = {}

local function shares_of(versions)
  local shares = {}
  for _, version in ipairs(versions) do
    shares[#shares + 1] = { version = version, share = version.share }
  end
  return shares
end

-- '/zones/*' -> '^/zones/[^/]+$', everything else in it taken literally
local function pattern_of(path)
  local escaped = path:gsub('[^%w*]', '%%%0'):gsub('%*', '[^/]+')
  return '^' .. escaped .. '$'
end

-- Shares of an operation's versions; nil where none that it is split to is there.
local function split_shares(text, entry, names)
  local shares, given = {}, {}
  local left = 100
  for name, percent in text:gmatch('([^:;]+):([%d.]+)') do
    if names[name] then
      given[name] = true
      left = left - tonumber(percent)
      shares[#shares + 1] = { version = names[name], share = tonumber(percent) }
    end
  end
  if #shares == 0 then
    return nil
  end
  local others = 0
  for _, version in ipairs(entry.versions) do
    others = others + (given[version.name] and 0 or version.share)
  end
  for _, version in ipairs(entry.versions) do
    if not given[version.name] then
      shares[#shares + 1] = { version = version, share = math.max(0, left) * version.share / others }
    end
  end
  -- Points are drawn over all of them, so their sum is to be 1.
  local sum = 0
  for _, one in ipairs(shares) do
    sum = sum + one.share
  end
  for _, one in ipairs(shares) do
    one.share = sum > 0 and one.share / sum or 0
  end
  return sum > 0 and shares or nil
end

-- `at_zero`: versions without a share. `before`: the choice until now, of which the sequences go on.
function M.read(text, entry, at_zero, before)
  local choice = { shares = shares_of(entry.versions), names = {}, alone = {}, splits = {} }
  for _, versions in ipairs({ entry.versions, at_zero }) do
    for _, version in ipairs(versions) do
      choice.names[version.name] = version
      -- As an entry: whoever asks for a version is not to get another one.
      choice.alone[version.name] = { versions = { version }, slow_ms = entry.slow_ms, live = entry.live }
    end
  end
  for word, value in text:gmatch('([^ =]+)=([^ ]+)') do
    if word == 'sticky' then
      choice.sticky = value
    elseif word == 'override' then
      choice.override = value
    elseif word == 'mirror' then
      local to, percent = value:match('^([^:]+):([%d.]+)$')
      local point = before and before.mirror and before.mirror.point or math.random()
      choice.mirror = to and { to = to, share = tonumber(percent) / 100, point = point }
    elseif word == 'split' then
      local method, path, shares = value:match('^(%u+),([^,]+),(.+)$')
      local split = method and { method = method, pattern = pattern_of(path), shares = split_shares(shares, entry, choice.names) }
      if split and split.shares then
        local known = before and before.splits[#choice.splits + 1]
        split.point = known and known.point or math.random()
        choice.splits[#choice.splits + 1] = split
      end
    end
  end
  choice.cookie = 'mcp_' .. entry.service:gsub('-', '_')
  return choice
end

return M

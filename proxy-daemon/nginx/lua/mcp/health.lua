-- Instances that just failed, shared by all workers: passed over for a while, then tried again. Nothing is probed here; the
-- registry says who is up, this only bridges the time until it does.
local dict = ngx.shared.mcp_down

-- One failure may be an idle connection that the instance just closed; two within the time are not.
local failures_until_down = 2

local M = {}

function M.is_down(peer)
  return dict:get(peer.endpoint) == true
end

function M.failed(peer, seconds)
  if seconds <= 0 then
    return
  end
  local count = dict:incr('failures:' .. peer.endpoint, 1, 0, seconds)
  if count and count >= failures_until_down then
    -- With a full dict an older mark goes: this is only a hint.
    dict:set(peer.endpoint, true, seconds)
  end
end

-- Endpoints passed over now.
function M.list()
  local found = {}
  for _, key in ipairs(dict:get_keys(0)) do
    if dict:get(key) == true then
      found[#found + 1] = key
    end
  end
  return found
end

return M

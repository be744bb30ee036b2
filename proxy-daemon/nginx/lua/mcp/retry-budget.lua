-- How many requests may be tried again: a share of all, so that retries can't multiply the load of a service in trouble,
-- and a few a second besides, so that a service with little traffic has some too. A bucket of tokens a worker and service.
local cap = 250
local a_second = 10
local min = math.min

local M = { cap = cap }

local function refill(entry)
  local now = ngx.now()
  local past = now - entry.refilled
  entry.refilled = now
  entry.tokens = min(cap, entry.tokens + past * a_second)
end

function M.deposit(entry)
  entry.tokens = min(cap, entry.tokens + entry.budget)
end

-- True where one more try is allowed, which is then taken.
function M.withdraw(entry)
  refill(entry)
  if entry.tokens < 1 then
    return false
  end
  entry.tokens = entry.tokens - 1
  return true
end

return M

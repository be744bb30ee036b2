-- Messages from the daemon, as text: one line a fact, `end` last. The other side is nginx/table-message.ts.
--   generation <n>      base <n>, or `full`: everything there is      depths <n,n>
--   listed <JSON list of routes>
--   set <prefix> <entry>      remove <prefix>
--   end
local M = {}

-- Calls back with each whole message of a text; what comes after the last `end` was torn off and counts for nothing.
function M.each(text, use)
  local message
  for line in text:gmatch('([^\n]*)\n') do
    local word, rest = line:match('^(%S+) ?(.*)$')
    if word == 'generation' then
      message = { generation = tonumber(rest), set = {}, remove = {} }
    elseif message and word == 'end' then
      use(message)
      message = nil
    elseif message and word == 'set' then
      local prefix, entry = rest:match('^(%S+) (.+)$')
      message.set[#message.set + 1] = { prefix, entry }
    elseif message and word == 'remove' then
      message.remove[#message.remove + 1] = rest
    elseif message and word == 'full' then
      message.full = true
    elseif message and word == 'base' then
      message.base = tonumber(rest)
    elseif message and word then
      message[word] = rest
    end
  end
end

return M

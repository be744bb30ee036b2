-- The last good generation on disk, read when nginx starts: so it serves with neither daemon nor registry there.
--
-- tables/snapshot is one message with everything, tables/journal the messages since; tables/journal.before is there while the daemon makes
-- another snapshot (nginx/table-store.ts).
local message_text = require 'mcp.message-text'
local publish = require 'mcp.publish'

local M = {}

local function read(path)
  local file = io.open(path, 'rb')
  if not file then
    return ''
  end
  local text = file:read('*a')
  file:close()
  return text
end

function M.load(dir)
  -- After a reload the dict is still there, and newer than the disk or as new.
  if ngx.shared.mcp_routes:get('generation') then
    return
  end
  local generation = -1
  local function apply(message)
    -- A journal may begin with what the snapshot already holds.
    if message.generation <= generation then
      return
    end
    message.base = ngx.shared.mcp_routes:get('generation') or 0
    local ok, err = publish.publish(message)
    generation = message.generation
    if not ok then
      ngx.log(ngx.ERR, 'generation ', generation, ' on disk can not be loaded: ', err)
    end
  end
  message_text.each(read(dir .. '/snapshot'), apply)
  message_text.each(read(dir .. '/journal.before'), apply)
  message_text.each(read(dir .. '/journal'), apply)
end

return M

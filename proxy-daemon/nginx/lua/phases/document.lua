-- The merged document, from pieces. What nginx does with files it does here too: conditions, HEAD, headers of the location.
local pieces = require 'mcp.pieces'

local method = ngx.req.get_method()
if method ~= 'GET' and method ~= 'HEAD' then
  return ngx.exit(405)
end

-- As nginx decides for files that are compressed already.
local function takes_gzip()
  if ngx.req.http_version() < 1.1 or ngx.var.http_via then
    return false
  end
  for name, rest in (ngx.var.http_accept_encoding or ''):lower():gmatch('([^,;%s]+)([^,]*)') do
    if name == 'gzip' then
      local q = rest:match('q%s*=%s*([%d.]+)')
      return not q or (tonumber(q) or 0) > 0
    end
  end
  return false
end

-- This file is <gateway>/lua/phases/document.lua.
local documents = debug.getinfo(1, 'S').source:match('^@(.*)/lua/phases/document%.lua$') .. '/www/documents/'
local name = ngx.var.uri:match('([^/]+)$')
local packed = name .. '.gz'
local list = pieces.read(documents .. 'lists', takes_gzip() and { packed, name } or { name })
if not list then
  return ngx.exit(404)
end

local etag = '"' .. list.etag .. '"'
local dir = documents .. 'pieces/'
-- Before anything is said: who asks whether there is something new gets by without.
local missing = ngx.var.http_if_none_match ~= etag and pieces.missing(list, dir)
if missing then
  ngx.log(ngx.ERR, name, ': the piece ', missing, ' is missing')
  return ngx.exit(500)
end

local header = ngx.header
header['ETag'] = etag
header['Last-Modified'] = ngx.http_time(list.modified)
header['Content-Length'] = list.length
header['Vary'] = 'Accept-Encoding'
if list.file == packed then
  header['Content-Encoding'] = 'gzip'
end
ngx.send_headers()
if method == 'HEAD' or ngx.status == 304 then
  return
end
local ok, err = pieces.send(list, dir)
if not ok then
  ngx.log(ngx.ERR, name, ': ', err)
  -- The length was told: so it is seen that this is not all of it.
  return ngx.exit(ngx.ERROR)
end

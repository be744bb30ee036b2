-- $mcp_document: the directory of the document in force, a number below generations/.
return ngx.shared.mcp_routes:get('document') or 'none'

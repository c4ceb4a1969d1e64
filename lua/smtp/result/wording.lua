--- How hints are put together, and what all of them ask.
-- @module smtp.result.wording

local wording = {}

--- "{port}" becomes the value of that name.
---@param text string
---@param values table
---@return string
function wording.fill(text, values)
   return (text:gsub("{([a-z_]+)}", function(name) return tostring(values[name] or "") end))
end

--- The remedies that are given, as one hint; `false` and nil are left out.
---@return string|nil
function wording.join(...)
   local list = {}
   for i = 1, select("#", ...) do list[#list + 1] = select(i, ...) or nil end
   return list[1] and table.concat(list, "; ")
end

--- Is the port one for submission already?
---@param server smtp.Server
---@return boolean
function wording.is_submission(server)
   return server.port == 587 or server.port == 465
end

return wording

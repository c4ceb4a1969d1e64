--- What the command prints: JSON for programs, and the report of probe for people.
-- @module smtp.cli_output

local mime = require "smtp.mime"

local cli_output = {}

-- ---- JSON, enough for receipts and errors ----

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

-- JSON is UTF-8; what a server says need not be: then each byte is taken for Latin-1.
local function quote(text)
   if not mime.is_utf8(text) then
      text = text:gsub("[\128-\255]", function(c)
         return string.char(192 + math.floor(c:byte() / 64), 128 + c:byte() % 64)
      end)
   end
   return '"' .. text:gsub('[%z\1-\31\\"\127]', function(c)
      return escapes[c] or ("\\u%04x"):format(c:byte())
   end) .. '"'
end

local function number(value)
   if value ~= value or value == math.huge or value == -math.huge then return "null" end
   if value % 1 == 0 and math.abs(value) < 1e15 then return ("%d"):format(value) end
   return (("%.6f"):format(value):gsub(",", "."))
end

-- The fields that are maps, also where they are empty; every other empty table is a list.
-- `mechanisms` is a list of names in what a server offers, and a map to reasons elsewhere.
local maps = { capabilities = true, extensions = true, limits = true, usable = true, options = true,
   seconds = true, tls = true, server = true, ["auth.mechanisms"] = true }

local function is_map(value, name, parent)
   if next(value) ~= nil then return #value == 0 end
   return maps[name] or maps[(parent or "") .. "." .. (name or "")] or false
end

--- Any value as JSON.
---@param name? string     of the field that it is the value of
---@param parent? string   of the field around that
---@return string
function cli_output.json(value, name, parent)
   local kind = type(value)
   if kind == "string" then return quote(value) end
   if kind == "number" then return number(value) end
   if kind ~= "table" then return kind == "boolean" and tostring(value) or "null" end
   local parts = {}
   if not is_map(value, name, parent) then
      for i = 1, #value do parts[i] = cli_output.json(value[i]) end
      return "[" .. table.concat(parts, ",") .. "]"
   end
   local names = {}
   for key in next, value do names[#names + 1] = tostring(key) end
   table.sort(names)
   for i = 1, #names do
      parts[i] = quote(names[i]) .. ":" .. cli_output.json(value[names[i]], names[i], name)
   end
   return "{" .. table.concat(parts, ",") .. "}"
end

-- ---- the report of probe, for people ----

local function row(name, text)
   if text and text ~= "" then print(("   %-13s %s"):format(name, text)) end
end

local function sorted(map, join)
   local list = {}
   for name, value in next, map do list[#list + 1] = join(name, value) end
   table.sort(list)
   return table.concat(list, ", ")
end

local function show_offer(name, offered)
   if not offered then return end
   local text = sorted(offered.capabilities, function(keyword, parameters)
      return parameters == "" and keyword or keyword .. " " .. parameters
   end)
   row(name, text ~= "" and text or "nothing")
end

local function show_tls(tls)
   local list = { tls.state }
   if tls.state == "on" then
      list[#list + 1] = tls.version
      list[#list + 1] = tls.cipher
      list[#list + 1] = tls.verified and "verified" or "not verified"
   end
   list[#list + 1] = tls.reason
   row("TLS", table.concat(list, ", "))
   local found = tls.certificate
   if not found then return end
   row("certificate", found.subject)
   row("  issuer", found.issuer)
   row("  for", table.concat(found.names, ", "))
   row("  valid", ("%s to %s (%s)"):format(found.not_before, found.not_after,
      found.days_left < 0 and "over" or found.days_left .. " days left"))
   row("  key_pin", found.key_pin)
end

local function show_auth(auth)
   local text = auth.state .. (auth.mechanism and " by " .. auth.mechanism or "")
   row("AUTH", text .. (auth.reason and ", " .. auth.reason or ""))
   for _, name in ipairs(auth.offered) do
      local usable = auth.usable[name]
      row("  " .. name, usable == true and "can be used" or usable)
   end
end

local function durations(seconds)
   local list = {}
   for _, name in ipairs { "connect", "greeting", "tls", "ehlo", "total" } do
      if seconds[name] then list[#list + 1] = ("%s %.3f"):format(name, seconds[name]) end
   end
   return table.concat(list, ", ")
end

--- Print the report of smtp.probe.
function cli_output.show_report(report)
   print((report.socket or report.host .. ":" .. report.port)
      .. (report.address and " (" .. report.address .. ")" or ""))
   row("greeting", (report.greeting:gsub("\n", " / ")))
   show_offer("before TLS", report.before_tls)
   show_tls(report.tls)
   show_offer("after TLS", report.after_tls)
   show_auth(report.auth)
   row("seconds", durations(report.seconds))
   local use = sorted(report.options, function(name, value)
      return name .. " = " .. cli_output.json(value, name)
   end)
   row("use", use ~= "" and use or "nothing: see the first warning")
   for _, one in ipairs(report.warnings) do
      print(("%s: %s. %s"):format(one.kind == "remark" and "remark" or "warning", one.text,
         one.hint and one.hint .. "." or ""))
   end
end

return cli_output

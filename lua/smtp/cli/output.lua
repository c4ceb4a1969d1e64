--- What the command prints: JSON for programs, and the report of probe for people.
-- @module smtp.cli.output

local core = require "smtp.core"

local cli_output = {}

--- Text for a terminal, which must not obey what a peer put into it: see core.printable.
function cli_output.shown(text)
   return (text:gsub("[^\t]+", core.printable))
end

--- Print a line on standard output, or write it to `file`.
function cli_output.say(text, file)
   (file or io.stdout):write(cli_output.shown(text), "\n")
end

local say = cli_output.say

-- ---- JSON, enough for receipts and errors ----

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

-- What a terminal may obey although it is not ASCII: C1 controls, and marks that change the
-- direction of text (see core.printable).
local obeyed = { "\194[\128-\159]", "\216\156",
   "\226\128[\142\143\170-\174]", "\226\129[\166-\169]" }

local function escape_wide(c)
   local first, second, third = c:byte(1, 3)
   local code = third and first % 16 * 4096 + second % 64 * 64 + third % 64
      or first % 32 * 64 + second % 64
   return ("\\u%04x"):format(code)
end

-- JSON is UTF-8; what a server says need not be: then each byte is taken for Latin-1.
local function quote(text)
   if not core.is_utf8(text) then
      text = text:gsub("[\128-\255]", function(c)
         return string.char(192 + math.floor(c:byte() / 64), 128 + c:byte() % 64)
      end)
   end
   text = text:gsub('[%z\1-\31\\"\127]', function(c)
      return escapes[c] or ("\\u%04x"):format(c:byte())
   end)
   for i = 1, #obeyed do text = text:gsub(obeyed[i], escape_wide) end
   return '"' .. text .. '"'
end

local function number(value)
   if value ~= value or value == math.huge or value == -math.huge then return "null" end
   if value % 1 == 0 and math.abs(value) < 1e15 then return ("%d"):format(value) end
   return (("%.6f"):format(value):gsub(",", "."))
end

-- The fields that are maps, also where they are empty; every other empty table is a list.
-- `mechanisms` is a list of names in what a server offers, and a map to reasons elsewhere.
local maps = { capabilities = true, extensions = true, limits = true, usable = true, options = true,
   parameters = true, seconds = true, tls = true, server = true, ["auth.mechanisms"] = true }

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
   if text and text ~= "" then say(("   %-13s %s"):format(name, text)) end
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
   say((report.socket or report.host .. ":" .. report.port)
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
      say(("%s: %s. %s"):format(one.kind == "remark" and "remark" or "warning", one.text,
         one.hint and one.hint .. "." or ""))
   end
end

return cli_output

--- What the command prints: JSON for programs, and the report of probe for people.
-- @module smtp.cli.output

local address = require "smtp.options.address"
local ascii = require "smtp.ground.ascii"
local colors = require "smtp.cli.colors"
local core = require "smtp.core"

local output = {}

--- Text that a terminal can show: it must not obey what a peer put into the text (core.printable).
function output.shown(text)
   return (text:gsub("[^\t]+", core.printable))
end

--- Print a line on standard output, or write it to `file`.
function output.say(text, file)
   (file or io.stdout):write(output.shown(text), "\n")
end

local say = output.say

--- Print a line of which a part has a colour, on a terminal.
---@param color string   see smtp.cli.colors
---@param before string
---@param part string
---@param after string
---@param file? file*    standard output where it is not given
function output.say_in(color, before, part, after, file)
   file = file or io.stdout
   part = colors.paint(color, output.shown(part), file)
   file:write(output.shown(before), part, output.shown(after), "\n")
end

local say_in = output.say_in

-- ---- JSON, enough for receipts and errors ----

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

-- Characters outside ASCII that a terminal may obey: C1 controls, and marks that change the
-- direction of text.
local obeyed = { "\194[\128-\159]", "\216\156",
   "\226\128[\142\143\170-\174]", "\226\129[\166-\169]" }

local function escape_wide(character)
   return ("\\u%04x"):format(address.code_point(character))
end

-- JSON is UTF-8. Where the words of a server are not, each byte counts as Latin-1.
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

-- The fields that are maps even where they are empty. Every other empty table is a list.
-- `mechanisms` is a list of names in what a server offers, and a map to reasons elsewhere.
local maps = { capabilities = true, extensions = true, limits = true, usable = true, options = true,
   parameters = true, headers = true, seconds = true, tls = true, server = true,
   ["auth.mechanisms"] = true }

local function is_map(value, name, parent)
   if next(value) ~= nil then return #value == 0 end
   return maps[name] or maps[(parent or "") .. "." .. (name or "")] or false
end

--- Any value as JSON.
---@param name? string     the name of the field that contains the value
---@param parent? string   the name of the field around that one
---@return string
function output.json(value, name, parent)
   local kind = type(value)
   if kind == "string" then return quote(value) end
   if kind == "number" then return number(value) end
   if kind ~= "table" then return kind == "boolean" and tostring(value) or "null" end
   local parts = {}
   if not is_map(value, name, parent) then
      for i = 1, #value do parts[i] = output.json(value[i]) end
      return "[" .. table.concat(parts, ",") .. "]"
   end
   local names = {}
   for key in next, value do names[#names + 1] = tostring(key) end
   table.sort(names, ascii.before)
   for i = 1, #names do
      parts[i] = quote(names[i]) .. ":" .. output.json(value[names[i]], names[i], name)
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
   table.sort(list, ascii.before)
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
   local certificate = tls.certificate
   if not certificate then return end
   row("certificate", certificate.subject)
   row("  issuer", certificate.issuer)
   row("  for", table.concat(certificate.names, ", "))
   row("  valid", ("%s to %s (%s)"):format(certificate.not_before, certificate.not_after,
      certificate.days_left < 0 and "over" or ("%d %s left"):format(
      certificate.days_left, certificate.days_left == 1 and "day" or "days")))
   row("  key_pin", certificate.key_pin)
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

--- Print one of the warnings of a report.
---@param warning smtp.Warning
function output.show_warning(warning)
   local is_remark = warning.kind == "remark"
   say_in(is_remark and "cyan" or "yellow", "", is_remark and "remark" or "warning",
      (": %s. %s"):format(warning.text, warning.hint and warning.hint .. "." or ""))
end

--- Print the report of smtp.probe.
---@param report smtp.Report
---@param flags string   the options that it recommends, as flags,
---@param lua string     and as Lua
function output.show_report(report, flags, lua)
   say((report.socket or report.host .. ":" .. report.port)
      .. (report.address and " (" .. report.address .. ")" or ""))
   row("greeting", (report.greeting:gsub("\n", " / ")))
   show_offer("before TLS", report.before_tls)
   show_tls(report.tls)
   show_offer("after TLS", report.after_tls)
   show_auth(report.auth)
   row("seconds", durations(report.seconds))
   if next(report.options) ~= nil then
      row("flags", flags)
      row("Lua", lua)
   else
      row("flags", "none: see the first warning")
   end
   for _, one in ipairs(report.warnings) do output.show_warning(one) end
end

return output

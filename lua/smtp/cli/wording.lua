--- The words of the library in the words of the command: flags in place of options.
--
-- A text goes through the rows of `phrases`, then assignments become flags (tls = "require" is
-- --tls require), then names of options that are no English words (tls_ca_file is --tls-ca-file).
-- A word such as host or text is an option only in the phrases that contain it.
-- @module smtp.cli.wording

local ascii = require "smtp.ground.ascii"
local flag_table = require "smtp.cli.flag_table"
local phrases = require "smtp.cli.phrases"

local wording = {}

-- ---- names ----

-- Options that are tables, and those whose value never is on the command line.
local special = { attachments = "attach", headers = "header", extensions = "extension",
   password = "password-env", token = "token-env" }

-- By the name of an option: its flag. The first command that has such a flag decides.
local by_option = {}
for _, command in ipairs(flag_table.commands) do
   for _, flag in ipairs(flag_table.flags(command.name)) do
      local option = (flag.alias or flag.name):gsub("%-", "_")
      by_option[option] = by_option[option] or flag
   end
end
for option, name in next, special do by_option[option] = by_option[name:gsub("%-", "_")] end

--- The flag of an option, or of a field of one: "tls_host" is --tls-host, "dsn.notify" is
-- --dsn-notify, "attachments[1].path" is --attach.
---@param option string
---@return string|nil   without dashes; nil: there is no such flag
function wording.flag(option)
   local name, field = option:match("^([a-z_]+)%.?([a-z_]*)$")
   if not name then
      name = option:gsub("%[%d+%].*$", ""):gsub("%..*$", "")
      field = ""
   end
   local flag = by_option[name .. "_" .. field] or by_option[name]
   return flag and (flag.alias or flag.name)
end

-- ---- assignments ----

-- A value as a shell takes it.
local function quoted(value)
   if value:find("^[A-Za-z0-9_@%%+=:,./-]+$") then return value end
   return '"' .. value .. '"'
end

local function dashes(option)
   local name = wording.flag(option)
   return name and "--" .. name
end

-- tls = "require", timeout = 300
local function with_value(name, value)
   local flag = dashes(name)
   return flag and flag .. " " .. quoted(value)
end

-- to = …
local function with_placeholder(name)
   local flag = by_option[name]
   return flag and ("--%s %s"):format(flag.name, flag.takes or ""):gsub(" $", "")
end

local function each_word(name, list)
   local flag, parts = dashes(name), {}
   if not flag then return nil end
   for value in list:gmatch('"([^"]*)"') do parts[#parts + 1] = flag .. " " .. quoted(value) end
   return table.concat(parts, " ")
end

-- extensions = { chunking = "skip" }, headers = { ["X-Name"] = "value" }
local function with_pair(name, key, value)
   if name == "headers" then return ('--header "%s: %s"'):format(key, value) end
   if name == "extensions" then return ("--extension %s=%s"):format(key, value) end
end

local NAME = "%f[A-Za-z_.-]([a-z_.]+) = "

local assignments = {
   { '"\\"([^"]*)\\"([^"]*)"', "'\"%1\"%2'" }, -- quotes in quotes, as a shell takes them
   { 'Write method = "[A-Z]+", or send', "Send" },
   { 'extensions%.([a-z0-9-]+) = "([a-z]+)"', "--extension %1=%2" },
   { "Use the option ([a-z_]+)", function(name)
      local flag = dashes(name)
      return flag and "Use " .. flag
   end },
   { NAME .. '{ %[?"?([A-Za-z0-9-]+)"?%]? = "([^"]*)" }', with_pair },
   { NAME .. '{ ("[^{}]*") }', each_word },
   { NAME .. '"([^"]*)"', with_value },
   { NAME .. "(%d+)", with_value },
   { NAME .. "…", with_placeholder },
   { NAME .. "true%f[^a-z]", dashes },
   { NAME .. "false%f[^a-z]", function(name)
      local flag = wording.flag(name)
      return flag and "--no-" .. flag
   end },
}

-- ---- the rest ----

local has_fields = { attachments = true, dkim = true }

-- envelope.from, extensions.dsn, attachments[1].path, tls_ca_file
local function replace_names(text)
   text = text:gsub("%f[a-z_]extensions%.([a-z0-9-]+)", "--extension %1")
   text = text:gsub("%f[a-z_]([a-z_]+%[%d+%][a-z_.]*)", dashes)
   text = text:gsub("%f[A-Za-z_.-]([a-z]+%.[a-z]+)%f[^a-z_@.]", function(name)
      local is_field = by_option[(name:gsub("%.", "_"))]
         or has_fields[name:match("^[a-z]+")]
      return is_field and dashes(name) or nil
   end)
   return (text:gsub("%f[a-z_-]([a-z]+_[a-z_]+)%f[^a-z_]", dashes))
end

-- Replaces a phrase where it begins and ends like a word, also with a capital letter.
local function replace_phrase(text, from, to)
   local at, stop = text:find(from, 1, true)
   while at do
      local before, after = at > 1 and text:sub(at - 1, at - 1), text:sub(stop + 1, stop + 1)
      local is_inside = from:find("^[a-z]") and before and before:find("[A-Za-z-]")
         or from:find("[a-z]$") and after:find("[A-Za-z_]")
      if not is_inside then text = text:sub(1, at - 1) .. to .. text:sub(stop + 1) end
      at, stop = text:find(from, is_inside and stop or at + #to, true)
   end
   return text
end

local function capital(text)
   return (text:gsub("^[a-z]", ascii.upper))
end

--- A text of the library as the command prints it.
---@param text string
---@return string
function wording.flags(text)
   for i = 1, #phrases do
      local from, to = phrases[i][1], phrases[i][2]
      text = replace_phrase(text, from, to)
      if from:find("^[a-z]") then text = replace_phrase(text, capital(from), capital(to)) end
   end
   for i = 1, #assignments do text = text:gsub(assignments[i][1], assignments[i][2]) end
   return (replace_names(text):gsub("(%f[-]%-%-[a-z-]+) = ", "%1 "))
end

-- A secret may come from several flags, from a file of accounts or from the terminal.
local is_secret = { password = true, token = true }

-- The option at the beginning of a sentence: "port: expected …", "to[2] = … is not …".
local function name_option(text, option)
   local flag = not is_secret[option] and dashes(option)
   local rest = flag and text:sub(1, #option) == option and text:sub(#option + 1)
   if not rest or rest:find("^[A-Za-z0-9_]") then return text end
   return flag .. rest:gsub("^ = ", " ", 1)
end

local function translate(one, option)
   if one.what then
      local is_extension = option and option:find("^extensions%.")
      local what = option and not is_extension and name_option(one.what, option) or one.what
      one.what = wording.flags(what):gsub("got the string ", "got ")
   end
   if one.hint then one.hint = wording.flags(one.hint) end
end

-- `usable` has true for each mechanism, or why it cannot be used.
local function translate_report(report)
   for _, warning in ipairs(report.warnings) do
      warning.text = wording.flags(warning.text)
      translate(warning)
   end
   local usable = report.auth.usable
   for name, why in next, usable do
      if why ~= true then usable[name] = wording.flags(why) end
   end
end

--- An error, a receipt or a report in the words of the command. What is wrong in a file of accounts
-- stays as it is: that is Lua.
---@param result table   it is changed
---@return table
function wording.apply(result)
   local option = result.option
   if option == "accounts" then return result end
   translate(result, option)
   if option and not is_secret[option] then result.option = wording.flag(option) or option end
   for _, list in ipairs { result.recipients or {}, result.refused or {} } do
      for _, one in ipairs(list) do translate(one) end
   end
   if result.warnings then translate_report(result) end
   return result
end

return wording

--- The chapter "Troubleshooting" of lua/README.md, from the tables of reasons, causes and providers.
local causes = require "smtp.result.causes"
local reasons = require "smtp.result.reasons"
local services = require "smtp.options.services"

local groups = {
   { "sender", "The sender" }, { "recipient", "The recipient" },
   { "client", "This machine (`client`)" }, { "account", "The account" },
   { "message", "The message" }, { "server", "The server" },
}

local function read(path)
   local file = assert(io.open(path))
   local text = file:read("*a")
   file:close()
   return text
end

-- As the file of reasons has them.
local function names_in_order()
   local names = {}
   for name in read("lua/smtp/result/reasons.lua"):gmatch("\nreasons%.([a-z_]+) = ") do
      names[#names + 1] = name
   end
   return names
end

local function cell(text)
   return (text:gsub("{[a-z]+|([^}]*)}", "%1"):gsub("  +", " "):gsub("|", "\\|"):gsub("\n", " "))
end

-- The first documented reply that means it.
local function example_of(name)
   for _, group in ipairs(causes) do
      for i = 2, #group do
         if group[i][1] == name then
            return (group[i][2]:gsub("%*([^*]*)%*", function(words) return words:match("^[^|]*") end))
         end
      end
   end
end

local function hint_of(reason)
   local parts = { reason.hint .. "." }
   if reason.outside then parts[#parts + 1] = "Where the server offers AUTH: " .. reason.outside .. "." end
   if reason.login then parts[#parts + 1] = "After a login: " .. reason.login .. "." end
   if reason.provider then parts[#parts + 1] = "See Providers." end
   return table.concat(parts, " ")
end

local function add_reasons(out)
   for _, group in ipairs(groups) do
      out[#out + 1] = ("\n### %s\n\n| `reason` | what it means | what to do | for example |\n|---|---|---|---|\n")
         :format(group[2])
      for _, name in ipairs(names_in_order()) do
         local reason = reasons[name]
         if reason.concerns == group[1] then
            local example = example_of(name)
            out[#out + 1] = ("| `%s` | %s%s | %s | %s |\n"):format(name, cell(reason.means),
               reason.retry and " A later attempt may help." or "", cell(hint_of(reason)),
               example and "`" .. cell(example) .. "`" or "")
         end
      end
   end
end

local function add_providers(out)
   out[#out + 1] = "\n### Providers\n\n| provider | `service` | credentials | senders |\n|---|---|---|---|\n"
   local rows = {}
   for name in read("lua/smtp/options/services.lua"):gmatch("\n   ([a-z0-9]+) = { title = ") do
      local one = services.get(name)
      local service = not one.host and "" or name == "ses" and '`"ses:REGION"`' or ('`"%s"`'):format(name)
      rows[#rows + 1] = ("| %s | %s | %s | %s |\n"):format(one.title, service, cell(one.login),
         cell(one.sender or ""))
   end
   out[#out + 1] = table.concat(rows)
end

--- The text of the chapter, without its heading.
local function chapter()
   local out = { [[

An error and each refused recipient say why the server refused (`reason`), which party has to change something
(`concerns`), and what to do (`hint`). The table of documented replies is `lua/smtp/result/causes.lua`; the first row
that fits decides. A reply that no row fits keeps the reason of its command, such as `refused`. Where the server's name
belongs to a provider, the hint says what that provider expects.
]] }
   add_reasons(out)
   add_providers(out)
   return table.concat(out)
end

return { chapter = chapter }

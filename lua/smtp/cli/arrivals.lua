--- What lua-smtp sink does with a message: it stores it where a flag says so, and shows it.
-- @module smtp.cli.arrivals

local mailbox = require "smtp.cli.mailbox"
local output = require "smtp.cli.output"

local SHOWN_MAX = 65536 -- bytes of a message that are shown: the rest is mostly an attachment

-- What is shown of a message: all of it, or its first lines.
local function beginning(data)
   if #data <= SHOWN_MAX then return data end
   local text = data:sub(1, SHOWN_MAX)
   return text:match "^.*\n" or text
end

local function show(message, paths)
   output.say(("--- from <%s> to <%s>%s%s%s"):format(message.from,
      table.concat(message.to, ">, <"),
      message.authenticated and ", authenticated as " .. message.authenticated or "",
      message.tls and ", over TLS" or ", in clear text",
      #paths > 0 and ": " .. table.concat(paths, ", ") or ""))
   if #paths > 0 then return end
   local first = beginning(message.data)
   io.write(output.shown((first:gsub("\r\n", "\n"))))
   output.say(#first >= #message.data and "---" or ("--- %d more bytes are not shown; --maildir or "
      .. "--eml stores the whole message"):format(#message.data - #first))
end

local TEXT_MAX = 1048576 -- bytes of a text that is shown as JSON: a longer one would delay others

-- A part without its content, which may be any bytes.
local function describe(part)
   local described = {}
   for field, value in next, part do described[field] = value end
   described.content, described.text = nil, part.size <= TEXT_MAX and part.text or nil
   return described
end

local function show_json(message, paths)
   local line = { headers = message.headers, parts = {}, size = #message.data }
   for field, value in next, message do line[field] = value end
   for i = 1, #message.parts do line.parts[i] = describe(message.parts[i]) end
   if #paths > 0 then line.data, line.paths = nil, paths end
   output.say(output.json(line))
end

--- Take --maildir and --eml out of the options. Raises a UsageError where one cannot be used.
---@param options table
---@param json? boolean
---@return function on_message   the option of the sink: the client gets its reply afterwards
---@return function abandon      removes what an interrupted command would leave
local function open(options, json)
   local boxes = {}
   for _, flag in ipairs { "maildir", "eml" } do
      if options[flag] then boxes[#boxes + 1] = mailbox.open(flag, options[flag]) end
      options[flag] = nil
   end
   return function(message)
      local paths = {}
      for i = 1, #boxes do
         local path, why = boxes[i]:store(message)
         if not path then -- the client may send it again
            for j = 1, #paths do os.remove(paths[j]) end
            output.say("lua-smtp: a message was refused: " .. why, io.stderr)
            return "452 4.3.1 the message cannot be stored"
         end
         paths[i] = path
      end
      (json and show_json or show)(message, paths)
      io.stdout:flush()
   end, function()
      for i = 1, #boxes do boxes[i]:abandon() end
   end
end

return { open = open }

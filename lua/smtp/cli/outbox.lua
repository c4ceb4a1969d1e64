--- lua-smtp outbox: keeps messages in a file, and delivers them.
-- @module smtp.cli.outbox

local flags = require "smtp.cli.flags"
local options_of = require "smtp.cli.outbox_options"
local output = require "smtp.cli.output"
local report = require "smtp.cli.outbox_report"
local unknown_flag = require "smtp.cli.unknown_flag"

-- By action: what follows it, where other arguments go, and what it does: (options, json, words) ->
-- exit status | nil, err
local actions = {}

local show = report.show

actions.put = { words = {}, place = "to", run = function(options, json)
   local message, more = options_of.message(options)
   local box, err = options_of.open(options)
   if not box then return nil, err end
   local id
   id, err = box:put(message, more)
   if not id then return nil, err end
   show({ id = id }, json, function() output.say(id) end)
   return 0
end }

actions.run = { words = {}, run = require("smtp.cli.outbox_run").run }

actions.list = { words = {}, run = function(options, json)
   local filter = options_of.filter(options)
   local box, err = options_of.open(options)
   if not box then return nil, err end
   local list
   list, err = box:list(filter)
   if not list then return nil, err end
   show(list, json, report.list)
   if not list[1] and not next(filter) then report.say_others(box, "there are no messages") end
   return 0
end }

actions.stats = { words = {}, run = function(options, json)
   local box, err = options_of.open(options)
   if not box then return nil, err end
   local stats
   stats, err = report.stats_of(box)
   if not stats then return nil, err end
   show(stats, json, report.stats)
   return 0
end }

actions.show = { words = { "ID" }, run = function(options, json, words)
   local box, err = options_of.open(options)
   if not box then return nil, err end
   local entry
   entry, err = box:get(words[1])
   if err then return nil, err end
   if not entry then
      unknown_flag.fail("id", ("the outbox has no message with the id %s"):format(words[1]),
         "List the messages to see their ids")
   end
   show(entry, json, report.entry)
   return 0
end }

for _, name in ipairs { "retry", "cancel", "resolve" } do
   actions[name] = { words = { "ID", name == "resolve" and "sent|unsent" or nil },
      run = function(options, json, words)
         local box, err = options_of.open(options)
         if not box then return nil, err end
         local done
         done, err = box[name](box, words[1], words[2])
         if not done then return nil, err end
         show(box:get(words[1]), json, report.line)
         return 0
      end }
end

-- The words right after the action.
local function words_of(name, action, args)
   local words = {}
   for i = 1, #action.words do
      local word = args[i + 1]
      if not word or word:find("^%-") then
         unknown_flag.fail("outbox",
            ("outbox %s needs %s before the flags"):format(name, action.words[i]),
            ("Write lua-smtp outbox %s %s --store FILE"):format(name,
               table.concat(action.words, " ")))
      end
      words[i] = word
   end
   return words
end

---@param args string[]
---@return number|nil     exit status
---@return table|nil err
local function run(args)
   local name = args[1] or ""
   local action = actions[name]
   if not action then unknown_flag.refuse_action(name, actions) end
   local words = words_of(name, action, args)
   local options = flags.read(args, 2 + #words, { name = "outbox", action = name,
      place = action.place, words = action.words })
   local json = options.json
   options.json = nil
   return action.run(options, json, words)
end

return { run = run }

--- lua-smtp outbox: keeps messages in a file, and delivers them.
-- @module smtp.cli.outbox

local flags = require "smtp.cli.flags"
local options_of = require "smtp.cli.outbox_options"
local output = require "smtp.cli.output"
local report = require "smtp.cli.outbox_report"
local socket = require "smtp.socket"
local trace = require "smtp.cli.trace"
local unknown_flag = require "smtp.cli.unknown_flag"
local wording = require "smtp.cli.wording"

-- By action: what follows it, where other arguments go, and what it does: (options, json, words) ->
-- exit status | nil, err
local actions = {}

local function show(result, json, lines)
   if json then output.say(output.json(result)) else lines(result) end
   io.stdout:flush()
end

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

-- The counts; why nothing is sent is said in the words of the command.
local function stats_of(box)
   local stats, err = box:stats()
   if stats and stats.why then stats.why = wording.flags(stats.why) end
   return stats, err
end

-- SIGTERM lets it finish what is in progress.
local function run_until_signal(box, settings)
   socket.finish_first(true)
   function box.is_stopped() return socket.caught() ~= nil end
   local totals, err = box:run(settings)
   socket.finish_first(false)
   return totals, err
end

actions.run = { words = {}, run = function(options, json)
   local settings = options_of.run(options)
   options.trace = options.trace and trace.lines() or nil
   options.on_result = function(entry) show(entry, json, report.line) end
   local box, err = options_of.open(options)
   if not box then return nil, err end
   local others = options_of.others(box)
   if others then
      output.say(("lua-smtp: nothing waits in the outbox %s, but the store has others (--name): %s")
         :format(box.settings.name, others), io.stderr)
   end
   local totals
   totals, err = run_until_signal(box, settings)
   if not totals then return nil, err end
   show(totals, json, report.totals)
   local stats = stats_of(box)
   if stats and stats.why then output.say("lua-smtp: waiting: " .. stats.why, io.stderr) end
   return 0
end }

actions.list = { words = {}, run = function(options, json)
   local filter = options_of.filter(options)
   local box, err = options_of.open(options)
   if not box then return nil, err end
   local list
   list, err = box:list(filter)
   if not list then return nil, err end
   show(list, json, report.list)
   return 0
end }

actions.stats = { words = {}, run = function(options, json)
   local box, err = options_of.open(options)
   if not box then return nil, err end
   local stats
   stats, err = stats_of(box)
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
   local options = flags.read(args, 2 + #words, { name = "outbox", place = action.place })
   local json = options.json
   options.json = nil
   return action.run(options, json, words)
end

return { run = run }

--- What lua-smtp outbox prints for people.
-- @module smtp.cli.outbox_report

local output = require "smtp.cli.output"

local report = {}

local order = { "queued", "claimed", "ending", "sent", "failed", "doubt", "cancelled" }
local colors = { sent = "green", failed = "red", doubt = "yellow" }

local function time_of(seconds)
   return os.date("%Y-%m-%d %H:%M:%S", seconds)
end

local function words_of(one)
   local parts = {}
   for _, name in ipairs { "code", "enhanced", "text", "reason" } do
      parts[#parts + 1] = one[name] and tostring(one[name]) or nil
   end
   local words = table.concat(parts, " ")
   if one.what then words = words == "" and one.what or words .. ": " .. one.what end
   return (words:gsub("\n", " / "))
end

-- What happened last to a message that was not sent.
local function last_words(entry)
   local last = entry.attempts[#entry.attempts]
   if entry.state == "sent" or not last then return nil end
   return words_of(last)
end

--- One line for a message.
function report.line(entry)
   local first, more = entry.recipients[1] or { address = "" }, #entry.recipients - 1
   local parts = { "", first.address }
   if more > 0 then parts[2] = ("%s and %d more"):format(parts[2], more) end
   if entry.state == "queued" then parts[#parts + 1] = "due " .. time_of(entry.due) end
   parts[#parts + 1] = last_words(entry)
   output.say_in(colors[entry.state] or "cyan", entry.id .. "  ", entry.state,
      table.concat(parts, "  "))
end

--- A line for each message.
function report.list(list)
   for i = 1, #list do report.line(list[i]) end
end

--- A message with its recipients and its attempts.
function report.entry(entry)
   output.say_in(colors[entry.state] or "cyan", entry.id .. "  ", entry.state, "")
   output.say(("   put %s, %d bytes%s"):format(time_of(entry.created), entry.size,
      entry.message_id and ", " .. entry.message_id or ""))
   if entry.state == "queued" then output.say("   due " .. time_of(entry.due)) end
   output.say("   from <" .. entry.from .. ">")
   for _, one in ipairs(entry.recipients) do
      local words = words_of(one)
      output.say_in(colors[one.state] or "cyan", "   to <" .. one.address .. ">  ", one.state,
         words == "" and "" or "  " .. words)
   end
   for _, one in ipairs(entry.attempts) do
      output.say(("   %s  %s  %s"):format(time_of(one.time), one.server or "-", words_of(one)))
   end
end

--- What run has done.
function report.totals(totals)
   output.say(("%d sent, %d failed, %d in doubt, %d to be tried again"):format(totals.sent,
      totals.failed, totals.doubt, totals.queued))
end

--- The counts by state.
function report.stats(stats)
   output.say(stats.name)
   for _, state in ipairs(order) do
      output.say(("   %-10s %d"):format(state, stats[state]))
   end
   if stats.due then output.say("   the oldest is due since " .. time_of(stats.due)) end
   if stats.why then output.say_in("yellow", "   ", "waiting", ": " .. stats.why) end
end

return report

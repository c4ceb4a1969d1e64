--- What lua-smtp outbox prints for people.
-- @module smtp.cli.outbox_report

local output = require "smtp.cli.output"
local wording = require "smtp.cli.wording"

local report = {}

local order = { "queued", "claimed", "ending", "sent", "failed", "doubt", "cancelled" }
local colors = { sent = "green", failed = "red", doubt = "yellow" }

--- A time as people read it.
function report.time_of(seconds)
   return os.date("%Y-%m-%d %H:%M:%S", seconds)
end

local time_of = report.time_of

--- Print a result: as JSON, or by `lines`.
function report.show(result, json, lines)
   if json then output.say(output.json(result)) else lines(result) end
   io.stdout:flush()
end

-- "550 5.1.1 no such user"
local function reply_of(one)
   local parts = {}
   for _, name in ipairs { "code", "enhanced", "text" } do
      parts[#parts + 1] = one[name] and tostring(one[name]) or nil
   end
   return parts[1] and table.concat(parts, " ")
end

-- "550 5.1.1 no such user (unknown_recipient): and a sentence", or nil. A reason that is the state
-- says nothing more.
local function words_of(one, state)
   local words, reason = reply_of(one), one.reason ~= state and one.reason or nil
   if reason then words = words and ("%s (%s)"):format(words, reason) or reason end
   if one.what then words = words and words .. ": " .. one.what or one.what end
   return words and words:gsub("\n", " / ")
end

local is_busy = { claimed = true, ending = true }

-- The recipients by what became of them; first those that have the state of the message.
-- -> { { state =, first = a recipient, count = }, … }
local function groups_of(entry)
   local groups, by_state = {}, {}
   local function add(state, one, count)
      if not by_state[state] then
         by_state[state] = { state = state, first = nil, count = 0 }
         groups[#groups + 1] = by_state[state]
      end
      local group = by_state[state]
      group.first, group.count = group.first or one, group.count + count
   end
   add(entry.state, nil, 0)
   for _, one in ipairs(entry.recipients) do
      add(is_busy[entry.state] and one.state == "queued" and entry.state or one.state, one, 1)
   end
   return groups
end

local DUE = { queued = "due ", claimed = "until ", ending = "until " }

-- "bob@example.net and 2 more  due 2026-01-01 12:00:00  450 4.2.0 later"
local function group_text(entry, group, is_only)
   local first, more = group.first or { address = "" }, group.count - 1
   local parts = { first.address }
   if more > 0 then parts[1] = ("%s and %d more"):format(parts[1], more) end
   if DUE[group.state] then parts[2] = DUE[group.state] .. time_of(entry.due) end
   local last = is_only and entry.attempts[#entry.attempts] or first
   if group.state ~= "sent" then parts[#parts + 1] = words_of(last, group.state) end
   return table.concat(parts, "  ")
end

--- One line for a message.
function report.line(entry)
   local groups, texts = groups_of(entry), {}
   for i, group in ipairs(groups) do
      texts[i] = (i > 1 and group.state .. "  " or "") .. group_text(entry, group, #groups == 1)
   end
   output.say_in(colors[entry.state] or "cyan", entry.id .. "  ", entry.state,
      "  " .. table.concat(texts, ";  "))
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
   local due = DUE[entry.state]
   if due then output.say("   " .. due .. time_of(entry.due)) end
   output.say("   from <" .. entry.from .. ">")
   for _, one in ipairs(entry.recipients) do
      local words = words_of(one, one.state)
      output.say_in(colors[one.state] or "cyan", "   to <" .. one.address .. ">  ", one.state,
         words and "  " .. words or "")
   end
   for _, one in ipairs(entry.attempts) do
      output.say(("   %s  %s  %s"):format(time_of(one.time), one.server or "-",
         words_of(one) or ""))
   end
end

--- What run has done.
---@param refused integer   recipients of messages that were sent to others
function report.totals(totals, refused)
   local without = refused > 0 and (" (%d recipient%s refused)"):format(refused,
      refused == 1 and "" or "s") or ""
   output.say(("%d sent%s, %d failed, %d in doubt, %d to be tried again"):format(totals.sent,
      without, totals.failed, totals.doubt, totals.queued))
end

--- The counts; why nothing is sent is said in the words of the command.
---@return smtp.OutboxStats|nil
---@return table|nil err
function report.stats_of(box)
   local stats, err = box:stats()
   if stats and stats.why then stats.why = wording.flags(stats.why) end
   return stats, err
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

--- Say of which other outboxes the store is, where there is nothing in this one.
---@param box table    an outbox of smtp.safe
---@param what string  "nothing waits"
function report.say_others(box, what)
   local name, others = box.settings.name, {}
   for _, one in ipairs(box.store:names() or {}) do
      if one ~= name then others[#others + 1] = one end
   end
   if not others[1] then return end
   output.say(("lua-smtp: %s in the outbox %s, but the store has others (--name): %s"):format(what,
      name, table.concat(others, ", ")), io.stderr)
end

return report

--- The flag --reply of lua-smtp sink, COMMAND[:PATTERN][#NUMBER]=REPLY: a fault of the sink.
-- @module smtp.cli.replies

local ascii = require "smtp.ground.ascii"
local errors = require "smtp.errors"
local sink_options = require "smtp.sink.options"
local system = require "smtp.ground.resources"

local unknown = system.late "smtp.options.unknown"

local unpack = table.unpack or unpack -- luacheck: ignore

local EXAMPLE = "Write --reply 'RCPT:bob@*=450 4.2.0 later'"

-- By command: the stage of the sink, and what of the command a pattern is compared with.
local commands = {
   CONNECT = { "connect" }, GREETING = { "connect" },
   EHLO = { "ehlo", "^[^ ]+ +([^ ]+)" }, LHLO = { "ehlo", "^[^ ]+ +([^ ]+)" },
   HELO = { "helo", "^[^ ]+ +([^ ]+)" }, AUTH = { "auth", "^[^ ]+ +([^ ]+)" },
   MAIL = { "mail", "^[^<]*<([^>]*)>" }, RCPT = { "rcpt", "^[^<]*<([^>]*)>" },
   STARTTLS = { "starttls" }, DATA = { "data" }, BDAT = { "data" }, RSET = { "rset" },
   QUIT = { "quit" },
   END = { "final" }, -- of the message; in LMTP there is a reply for each recipient
}

local names = {}
for name in next, commands do names[#names + 1] = name end
table.sort(names)

local function refuse(text, what, hint)
   errors.refuse("reply", ("--reply %q %s"):format(text, what), hint or EXAMPLE, text)
end

-- "bob@*" as a pattern of Lua's, in lower case.
local function pattern_of(glob)
   local text = ascii.lower(glob):gsub("[^a-z0-9*?\128-\255]", "%%%0")
   return "^" .. text:gsub("*", ".*"):gsub("?", ".") .. "$"
end

-- An address may contain "=": the reply begins after the first one that a reply follows.
local function split(text)
   local at = text:find("=[2-5][0-9][0-9]") or text:find("=[a-z]+ ?[0-9.]*$")
      or text:find("=", 1, true)
   if not at then refuse(text, "has no reply") end
   return text:sub(1, at - 1), text:sub(at + 1)
end

-- -> where what a pattern is compared with is found in the command
local function subject_of(text, name, is_lmtp)
   if commands[name][2] then return commands[name][2] end
   if name == "END" and is_lmtp then return "^(.*)$" end
   refuse(text, ("has a pattern, but %s has nothing to compare it with"):format(name),
      "A pattern may follow MAIL, RCPT, EHLO, HELO and AUTH; with --lmtp, END")
end

-- -> { stage =, fault =, subject = see subject_of, pattern =, number =, count = how often so far }
local function read_rule(text, is_lmtp)
   local head, fault = split(text)
   local rest, number = head:match("^(.*)#([0-9]+)$")
   local name, colon, glob = (rest or head):match("^([^:]*)(:?)(.*)$")
   name = name == "." and "END" or ascii.upper(name)
   if not commands[name] then
      local near = unknown.nearest(name, names)
      refuse(text, ("begins with %q, which is not a command that the sink answers"):format(name),
         near and ("Did you mean %s?"):format(near) or "Use one of " .. table.concat(names, ", "))
   end
   if fault == "close" then fault = "drop" end
   local wrong = sink_options.why_no_fault(fault)
   if wrong then
      refuse(text, "has a reply that is not valid: " .. wrong, "Write a reply (RCPT=550 5.1.1 "
         .. "unknown), or drop, silence or slow SECONDS in its place")
   end
   if number and ascii.number(number) == 0 then
      refuse(text, "counts from 0, but #1 is the first command that fits")
   end
   local rule = { stage = commands[name][1], fault = fault, number = tonumber(number), count = 0 }
   if colon ~= "" then
      rule.subject, rule.pattern = subject_of(text, name, is_lmtp), pattern_of(glob)
   end
   return rule
end

-- Does a rule apply to a command? `what` is as a fault of the sink gets it.
local function applies(rule, what)
   if rule.pattern then
      local subject = (what or ""):match(rule.subject)
      if not subject or not ascii.lower(subject):find(rule.pattern) then return false end
   end
   rule.count = rule.count + 1
   return not rule.number or rule.count == rule.number
end

-- -> the option `faults` of a sink; of several rules that apply, the first counts
local function read(list, is_lmtp)
   local rules, faults = {}, {}
   for i = 1, #list do
      local rule = read_rule(list[i], is_lmtp)
      rules[rule.stage] = rules[rule.stage] or {}
      table.insert(rules[rule.stage], rule)
   end
   for stage, of_stage in next, rules do
      faults[stage] = function(what)
         local fault
         for i = 1, #of_stage do
            if applies(of_stage[i], what) then fault = fault or of_stage[i].fault end
         end
         return fault
      end
   end
   return faults
end

-- Clients send STARTTLS and AUTH only where the sink offers them.
local function offer(options)
   local list = { unpack(sink_options.capabilities) }
   if options.faults.starttls and not options.tls then list[#list + 1] = "STARTTLS" end
   if options.faults.auth and not options.auth then list[#list + 1] = "AUTH PLAIN LOGIN" end
   options.capabilities = list
end

--- Replace --reply by the options of smtp.sink. Raises a UsageError.
---@param options table   as flags.read and secrets.read_for_sink leave them
local function apply(options)
   local list = options.reply
   options.reply = nil
   if not list then return end
   options.faults = read(list, options.lmtp)
   offer(options)
end

return { apply = apply }

--- What may come of a scenario on a machine that fails: what a case reports, and what is wrong with that.

local core = require "smtp.core"
local errors = require "smtp.errors"

local oracle = {}

local SECRET = "sesame-failing"
local SECONDS_MAX = 20

local LUA_LACK = "not enough memory"

local kinds = { usage = true, system = true, connect = true, resolve = true, timeout = true, disconnected = true,
   protocol = true, tls = true, certificate = true, auth_unsupported = true, auth_temporary = true, source = true,
   sender_refused = true, recipients_refused = true, data_refused = true }

-- All texts in a value.
local function collect(value, list, depth)
   if type(value) == "string" then
      list[#list + 1] = value
   elseif type(value) == "table" and depth < 5 then
      for key, inner in next, value do
         collect(key, list, depth + 1)
         collect(inner, list, depth + 1)
      end
   end
end

local function shows_secret(...)
   local list = {}
   for i = 1, select("#", ...) do collect((select(i, ...)), list, 0) end
   local text = table.concat(list, "\n")
   for before = 0, 2 do
      local coded = core.base64(("\0"):rep(before) .. SECRET)
      if text:find(coded:sub(before == 0 and 1 or before + 2, -6), 1, true) then return true end
   end
   return text:find(SECRET, 1, true) ~= nil
end

-- ---- in the process of the case ----

local function add(lines, ...)
   lines[#lines + 1] = table.concat({ ... }, "\t"):gsub("\n", " ")
end

-- Lua itself raises an error where the scenario has no memory: a file that was being opened then may stay open.
local function problem_of(case)
   local is_lua = case.raised and tostring(case.raised):find(LUA_LACK, 1, true) == 1
   if case.raised and (case.inside or not is_lua) then return "raised " .. tostring(case.raised) end
   if case.seconds > SECONDS_MAX then return ("took %.1f s"):format(case.seconds) end
   if case.open > 0 and not is_lua then
      return ("%d descriptors left open, %d after a collection"):format(case.open, case.left_open)
   end
end

local function report_outcome(lines, one)
   local receipt, err = one.receipt, one.err
   if shows_secret(receipt, err, err and tostring(err)) then add(lines, "problem", "shows the secret") end
   if receipt then
      for _, recipient in ipairs(one.id and receipt.recipients or {}) do
         add(lines, "receipt", one.id, recipient.address, recipient.state)
      end
      return
   end
   if not errors.is(err) then return add(lines, "problem", "no error of this library: " .. tostring(err)) end
   if not kinds[err.kind] then add(lines, "problem", "unexpected error " .. err.kind) end
   add(lines, "error", one.id or "", err.kind, err.reason or "", err.sent, err.retry, tostring(err))
   for _, recipient in ipairs(one.id and err.recipients or {}) do
      add(lines, "state", one.id, recipient.address, recipient.state)
   end
end

--- What a case has to say, as text.
function oracle.report(case, again)
   local lines = {}
   add(lines, "struck", case.struck or 0)
   for name, count in pairs(case.calls or {}) do add(lines, "call", name, count) end
   local problem = problem_of(case)
   if problem then add(lines, "problem", problem) end
   for _, one in ipairs(case.outcomes) do report_outcome(lines, one) end
   if case.unfinished then add(lines, "problem", "afterwards: " .. tostring(case.unfinished)) end
   for _, one in ipairs(case.settled) do add(lines, "state", one[1], one[2], one[3]) end
   problem = again.seconds and problem_of(again)
   if problem then add(lines, "problem", "afterwards: " .. problem) end
   for _, one in ipairs(again.outcomes) do
      if one.err then add(lines, "problem", "afterwards: " .. tostring(one.err)) end
   end
   return table.concat(lines, "\n") .. "\n"
end

-- ---- in the process that compares ----

local function read(path)
   local file = io.open(path, "rb")
   local text = file and file:read "*a" or ""
   if file then file:close() end
   return text
end

local judges = {}

function judges.struck(report, _, fields) report.struck = tonumber(fields[2]) > 0 and 1 or 0 end

function judges.call(report, _, fields)
   report.calls = report.calls or {}
   report.calls[fields[2]] = tonumber(fields[3])
end

function judges.problem(_, problems, fields) problems[#problems + 1] = fields[2] end

local times = { accepted = { [1] = true }, unknown = { [0] = true, true } }

local function check_state(report, problems, id, address, state)
   local count = report.truth[id .. " " .. address] or 0
   local may_be = times[state] or { [0] = true }
   if may_be[count] then return end
   problems[#problems + 1] = ("%s for %s is %s, and arrived %d times"):format(id, address, state, count)
end

function judges.receipt(report, problems, fields)
   report.receipts = (report.receipts or 0) + 1
   check_state(report, problems, fields[2], fields[3], fields[4])
end

function judges.state(report, problems, fields)
   check_state(report, problems, fields[2], fields[3], fields[4])
end

function judges.error(report, problems, fields)
   local id, sent, retry, text = fields[2], fields[5], fields[6], fields[7]
   local arrived = 0
   for name, count in pairs(report.truth) do
      if id ~= "" and name:sub(1, #id + 1) == id .. " " then arrived = arrived + count end
   end
   if (sent == "maybe") ~= (retry == "doubt") and sent ~= "partly" then
      problems[#problems + 1] = ("sent is %s, and retry is %s: %s"):format(sent, retry, text)
   end
   if report.is_harmless then problems[#problems + 1] = "harmless, but: " .. text end
   if sent == "no" and arrived > 0 then problems[#problems + 1] = "arrived, but: " .. text end
   report.unsent = (report.unsent or 0) + (sent == "no" and 1 or 0)
   report.doubts = (report.doubts or 0) + (sent ~= "no" and 1 or 0)
   if os.getenv "SHOW" then print(table.concat(fields, "\t")) end
end

--- Compares the report of a case with what the servers have.
---@return table report     struck, calls, receipts, unsent, doubts
---@return string[] problems
function oracle.judge(path, status, signal, truth, is_harmless)
   local report, problems = { truth = truth, is_harmless = is_harmless }, {}
   if signal then problems[1] = "ended by signal " .. signal end
   if status and status ~= 0 then problems[1] = "ended with status " .. status end
   local text = read(path)
   if text == "" and not problems[1] then problems[1] = "reported nothing" end
   for line in text:gmatch "[^\n]+" do
      local fields = {}
      for field in (line .. "\t"):gmatch "([^\t]*)\t" do fields[#fields + 1] = field end
      judges[fields[1]](report, problems, fields)
   end
   return report, problems
end

return oracle

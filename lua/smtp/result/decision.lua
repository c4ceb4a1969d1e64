--- Which row of the table of causes decides what a refusal means.
-- @module smtp.result.decision

local ascii = require "smtp.ground.ascii"
local services = require "smtp.options.services"

local load_causes = require("smtp.ground.resources").loader "smtp.result.causes"

local decision = {}

-- ---- the rows, ready for use ----

local function split(alternatives)
   local list = {}
   for words in alternatives:gmatch("[^|]+") do list[#list + 1] = words end
   return list
end

-- Takes the code and the status from the part of a reply that decides. -> the words in it
local function read_mark(part, is_first, needs)
   local code, rest = part:match("^([2-5][0-9][0-9]) ?(.*)$")
   if code and is_first then needs.code, part = tonumber(code), rest end
   local subject, detail, more = part:match("^[245]%.([0-9]+)%.([0-9]+) ?(.*)$")
   if subject then needs.status, part = subject .. "." .. detail, more end
   return part
end

-- "550 *5.4.5* daily *limit|quota*" -> { code =, status =, words = { { … } } }
local function read_sample(marked)
   local needs, count = { words = {} }, 0
   for before, part in marked:gmatch("([^*]*)%*([^*]*)%*") do
      count = count + 1
      local words = read_mark(part, count == 1 and before == "", needs)
      if words ~= "" then needs.words[#needs.words + 1] = split(words) end
   end
   return needs
end

local rows

-- `marked`: the sample of the entry in lower case.
local function new_row(group, entry, marked)
   local needs = read_sample(marked)
   local sample = entry[2]:gsub("%*([^*|]*)[^*]*%*", "%1")
   local service = entry.service
   if service == nil then service = group.service end
   return { reason = entry[1], sample = sample, source = group[1], code = needs.code,
      status = needs.status, words = needs.words, at = entry.at or group.at,
      host = entry.host or group.host, by = entry.by or group.by,
      service = service, hint = entry.hint, sentence = entry.sentence }
end

--- All rows in order: { reason =, sample =, source =, code =, status =, words =, at =, host =,
-- by =, service =, hint =, sentence = }.
---@return table[]
function decision.rows()
   if rows then return rows end
   local causes, samples, list = load_causes(), {}, {}
   if not causes then return list end -- it cannot be read for now
   for _, group in ipairs(causes) do
      for i = 2, #group do samples[#samples + 1] = group[i][2] end
   end
   local marked = table.concat(samples, "\1"):gsub("[A-Z]", ascii.lower_of):gmatch("[^\1]+")
   for _, group in ipairs(causes) do
      for i = 2, #group do list[#list + 1] = new_row(group, group[i], marked()) end
   end
   rows = list
   return rows
end

-- ---- the decision ----

local STAGES = { auth = "auth", greeting = "hello", ehlo = "hello", mail = "mail", rcpt = "rcpt",
   data = "message", body = "message", final = "message" }

-- Words that may quote an address, a link, a host name or what the client said count for nothing.
local function is_quoted(word)
   if word:find("@", 1, true) or word:find("://", 1, true) then return true end
   if word:find("^<.*>") then return true end
   local bare = word:gsub("^[<%[(\"']+", ""):gsub("[>%])\"',.:;]+$", "")
   return bare:find("^[A-Za-z0-9-]+%.[A-Za-z0-9.-]+$") and bare:find("[A-Za-z]%.[A-Za-z][A-Za-z]")
end

local function words_of(text)
   local list = {}
   for word in text:gsub("[A-Z]", ascii.lower_of):gmatch("[^ \t-\r]+") do
      if not is_quoted(word) then list[#list + 1] = word end
   end
   return table.concat(list, " ")
end

-- The subject and the detail of the status; some servers write it within the text: "(#5.7.1)".
local function status_of(reply, text)
   local status = reply.enhanced or text:match("^#?([245]%.[0-9]+%.[0-9]+)%f[^0-9.]")
      or text:match("%(#([245]%.[0-9]+%.[0-9]+)%)")
   return status and status:match("^[245]%.([0-9]+%.[0-9]+)$")
end

-- Where the first of these alternatives ends, from `at` on; nil where there is none.
local function find_one(words, alternatives, at)
   local first
   for i = 1, #alternatives do
      local _, stop = words:find(alternatives[i], at, true)
      if stop and (not first or stop < first) then first = stop end
   end
   return first
end

local function holds(words, list)
   local at = 1
   for i = 1, #list do
      local stop = find_one(words, list[i], at)
      if not stop then return false end
      at = stop + 1
   end
   return true
end

local is_passing = { temporary = true, rate_limited = true }

-- A permanent refusal passes only where the server's words say so, or where it is documented.
local function fits_reply(row, code, status)
   if row.code and row.code ~= code or row.status and row.status ~= status then return false end
   return code < 500 or not is_passing[row.reason] or #row.words > 0 or row.sample:find("^5")
end

local function fits(row, stage, code, status, case)
   if row.at then
      if not row.at:find(stage, 1, true) then return false end
   elseif stage == "auth" then
      return false
   end
   if not fits_reply(row, code, status) then return false end
   if row.by and row.by ~= case.by then return false end
   return not row.host or services.of_host(case.host) == services.get(row.host)
end

-- A server says the same of many recipients: the newest answer is kept.
local newest_key, newest_row

local function key_of(place, reply, status, words, case)
   return ("%s %d %s %s %s %s"):format(place, reply.code, status or "", case.by or "",
      case.host or "", words)
end

local function search(place, code, status, words, case)
   local list = decision.rows()
   for i = 1, #list do
      local row = list[i]
      if fits(row, place, code, status, case) and holds(words, row.words) then return row end
   end
end

--- The row that decides what a refusal means.
---@param stage string   where the reply came: "auth", "rcpt", …
---@param reply table    { code =, enhanced =, text = }
---@param case? table    { host = the server's name, by = "token" or "password" }
---@return table|nil row
function decision.find(stage, reply, case)
   local place, text = STAGES[stage], reply.text or ""
   if not place or not reply.code or reply.code < 400 then return nil end
   case = case or {}
   local words, status = words_of(text), status_of(reply, text)
   local key = key_of(place, reply, status, words, case)
   if key ~= newest_key then
      newest_key, newest_row = key, search(place, reply.code, status, words, case)
   end
   return newest_row
end

-- The party that a status without a row concerns (RFC 3463 3): by its subject.
local by_subject = { ["1"] = "recipient", ["2"] = "recipient", ["3"] = "server", ["4"] = "server",
   ["6"] = "message" }

--- Which party has to change something, where no row fits?
---@return string|nil
function decision.concerns(stage, reply)
   local status = status_of(reply, reply.text or "")
   local concerns = status and by_subject[status:match("^[0-9]+")]
   return concerns == "recipient" and stage == "mail" and "sender" or concerns
end

return decision

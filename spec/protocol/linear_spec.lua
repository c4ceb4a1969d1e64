-- Text from outside takes time in proportion to its length, however nasty it is: a stranger's reply,
-- form or address must not stop a process that serves others.
local safe = require "smtp.safe"
local keys = require "spec.tools.dkim_keys"

local FLOOR = 0.1       -- seconds of processor time that say nothing about growth
local GROWTH = 10 ^ 1.2 -- for ten times the text

local units = { "@", "<", '"', "\\", "(", " ", ",", ":", ".", "=?", "\r", "\r\n ", "\255", "\195\164", "a", "[",
   "<a@b> ", "a@b,", "a=a;" }

-- Around each: what it may stand in for.
local frames = { { "", "" }, { "a", "a" }, { '"', "" }, { "Ann <", "@b>" }, { "<", "" }, { "<a@b>", "x" } }

-- Of these the longest texts are made.
local worst = { "@", "<", "\\", " " }

local function filled(unit, frame, size)
   return frame[1] .. unit:rep(math.floor(size / #unit)) .. frame[2]
end

local MEDIUM, LONG = 20000, 1000000
local medium, long = {}, {}
for _, unit in ipairs(units) do
   for _, frame in ipairs(frames) do medium[#medium + 1] = filled(unit, frame, MEDIUM) end
end
-- The code is the same for every Lua: one of them takes the longest.
for i, unit in ipairs(_VERSION == "Lua 5.4" and worst or {}) do long[i] = { unit, filled(unit, frames[1], LONG) } end

-- A connection that fails at once.
local function never()
   error("the connection is used")
end

local transport = { connect = function() return nil, "refused" end, settimeouts = function() end, send = never,
   receiveany = never, sslhandshake = never, close = function() return true end }

local function fresh(more)
   local t = { host = "mx.example", domain = "me.example", tls = "skip", transport = transport,
      from = "ann@me.example", to = "bob@there.example", text = "x" }
   for name, value in pairs(more) do t[name] = value end
   if t.raw then t.text = nil end
   return t
end

-- -> the receipt or error, read as a program reads it
local function send(more)
   local receipt, err = safe.send(fresh(more))
   return receipt or tostring(err)
end

local function option(...)
   local path = { ... }
   return table.concat(path, "."), function(text)
      for i = #path, 1, -1 do text = { [path[i]] = text } end
      return send(text)
   end
end

local takers = {}

for _, name in ipairs { "url", "host", "server", "port", "socket", "protocol", "domain", "tls", "tls_host", "auth",
   "username", "password", "token", "authzid", "auth_mechanisms", "timeout", "source_address", "pipelining",
   "from", "to", "cc", "bcc", "reply_to", "sender", "subject", "text", "html", "calendar", "date", "message_id",
   "in_reply_to", "references", "priority", "list_unsubscribe", "raw", "recipients", "hold_until", "mt_priority" } do
   local label, take = option(name)
   takers[label] = take
end
for _, path in ipairs { { "envelope", "from" }, { "envelope", "to" }, { "dsn", "envid" }, { "dsn", "ret" },
   { "dsn", "notify" }, { "headers", "X-Own" }, { "extensions", "dsn" }, { "to", "address" }, { "to", "name" },
   { "calendar", "content" }, { "calendar", "method" }, { "deliver_by", "mode" } } do
   local label, take = option(unpack and unpack(path) or table.unpack(path)) -- luacheck: ignore
   takers[label] = take
end

takers["an option's name"] = function(text) return send { [text] = true } end
takers["a header's name"] = function(text) return send { headers = { [text] = "x" } } end
takers["an extension's name"] = function(text) return send { extensions = { [text] = "skip" } } end
takers["envelope.to.orcpt"] = function(text)
   return send { envelope = { to = { { address = "a@b", orcpt = text } } } }
end
for _, name in ipairs { "in_reply_to", "references", "list_unsubscribe", "to" } do
   takers["a list: " .. name] = function(text)
      local list = {}
      for i = 1, #text, 100 do list[#list + 1] = text:sub(i, i + 99) end
      return send { [name] = list }
   end
end
for _, name in ipairs { "content", "path", "filename", "content_type", "disposition", "content_id", "cid" } do
   takers["attachments." .. name] = function(text)
      local one = { content = name ~= "path" and "x" or nil }
      one[name] = text
      return send { attachments = { one } }
   end
end
for _, name in ipairs { "domain", "selector", "key", "canonicalization", "identity" } do
   takers["dkim." .. name] = function(text)
      local dkim = { domain = "me.example", selector = "s", key = keys.rfc.ed25519 }
      dkim[name] = text
      return send { dkim = dkim }
   end
end
takers["raw, signed"] = function(text)
   return send { raw = "From: a@b\r\nSubject: " .. text, dkim = { domain = "me.example", selector = "s",
      key = keys.rfc.ed25519 } }
end

local function once(take, text)
   local before = os.clock()
   take(text)
   return os.clock() - before
end

-- The best of some tries, as other programs on the machine cost time as well.
local function seconds(take, text)
   local best
   for _ = 1, 3 do
      local spent = once(take, text)
      best = math.min(best or spent, spent)
      if best < FLOOR then break end
   end
   return best
end

local function start_of(text)
   return ("%q, %d bytes"):format(text:sub(1, 40), #text)
end

describe("Nasty text takes time in proportion to its length", function()
   local names = {}
   for name in pairs(takers) do names[#names + 1] = name end
   table.sort(names)
   for _, name in ipairs(names) do
      it("as " .. name, function()
         local take = takers[name]
         for _, text in ipairs(medium) do
            local spent = seconds(take, text)
            assert(spent < FLOOR, ("%s: %.3f s"):format(start_of(text), spent))
         end
         for _, pair in ipairs(long) do
            local spent = once(take, pair[2])
            if spent >= FLOOR then
               local before = seconds(take, filled(pair[1], frames[1], LONG / 10))
               local most = GROWTH * math.max(before, FLOOR / 10)
               assert(spent < most or seconds(take, pair[2]) < most,
                  ("%s: %.3f s after %.3f s"):format(start_of(pair[2]), spent, before))
            end
         end
      end)
   end
end)

--- Probes of transcripts, and what a report of one must be.

local assert = require "luassert"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local probes = {}

--- A server with STARTTLS.
probes.script = talk.snippets {
   hello = [[
      S: 220-mx.example ESMTP
      S: 220 no spam
      C: EHLO me.example
   ]],
   plain_offer = [[
      S: 250-mx.example
      S: 250-PIPELINING
      S: 250-8BITMIME
      S: 250-SMTPUTF8
      S: 250-SIZE 20000000
   ]],
   inside = [[
      C: STARTTLS
      S: 220 go
      TLS
      C: EHLO me.example
      <plain_offer>
   ]],
   starttls = [[
      <hello>
      <plain_offer>
      S: 250 STARTTLS
      <inside>
   ]],
}

--- Credentials, and what AUTH PLAIN says with them.
probes.login = { username = "ann", password = "sesame-probe" }
probes.coded = "AGFubgBzZXNhbWUtcHJvYmU="

-- A report must not depend on how the bytes were cut.
local function comparable(value)
   if type(value) ~= "table" then return value end
   local copy = {}
   for name, inner in pairs(value) do
      if name ~= "seconds" then copy[name] = comparable(inner) end
   end
   return copy
end

local secret_names = { "username", "password", "token", "authzid" }

-- Of a message, to the end of the session.
local delivered = "C~\nS: 250 ok\nC~\nS: 250 ok\nC~\nS: 354 go\nMESSAGE\nS: 250 ok\nC: QUIT\nS: 221 bye\n"

-- Nothing that the caller has forbidden.
local function allowed(given, use)
   assert.is_true(given.auth ~= "skip" or use.auth == "skip")
   assert.is_true(given.auth ~= "require" or use.auth ~= "skip" and use.auth ~= "prefer")
   assert.is_true(given.tls ~= "skip" or use.tls == "skip")
   for _, word in ipairs { "require", "implicit" } do
      assert.is_true(given.tls ~= word or use.tls == word)
   end
   assert.is_true(given.tls_verify == false or use.tls_verify == nil)
   assert.equal(given.auth_plaintext, use.auth_plaintext)
   for _, name in ipairs(secret_names) do assert.is_nil(use[name]) end
end

--- A message, with what a report recommends and the credentials that were given.
function probes.with_message(given, use)
   local t = { from = "ann@me.example", to = "bob@there.example", raw = "Subject: x\r\n\r\nhello\r\n" }
   for name, value in pairs(use) do t[name] = value end
   for _, name in ipairs(secret_names) do t[name] = given[name] end
   return t
end

-- Options that are recommended send to the same server, in `transcript`; or the first warning says why there are none.
local function check_options(given, transcript, report)
   if next(report.options) == nil then
      local why = report.warnings[1]
      assert.is_true(why.kind ~= "warning" and why.kind ~= "remark" and why.text ~= "")
      return
   end
   allowed(given, report.options)
   local at = assert(transcript:find("C: QUIT\nS: 221 bye\n?$"), "no QUIT at the end")
   local other = talk.peer(transcript:sub(1, at - 1) .. delivered)
   local t = probes.with_message(given, report.options)
   t.transport, t.extensions = other, { chunking = "skip" }
   local receipt, err = safe.send(t)
   talk.finished(other)
   assert(receipt, tostring(err))
end

--- smtp.safe.probe against a transcript, in every way to play it. The options of the report must work there.
---@return table|nil report
---@return table|nil err
function probes.play(given, transcript)
   local first
   local host = ("probe%d.example"):format(talk.new_port()) -- what a host offered before is remembered
   for _, mode in ipairs { "whole", "bytes", "halves" } do
      local other = talk.peer(transcript, mode)
      local t = { host = host, domain = "me.example", transport = other }
      for name, value in pairs(given) do t[name] = value end
      local report, err = safe.probe(t)
      talk.finished(other)
      if not first then
         first = { report, err }
      else
         assert.same(comparable(first[1]), comparable(report))
         assert.equal(tostring(first[2]), tostring(err))
      end
   end
   if first[1] then check_options(given, transcript, first[1]) end
   return first[1], first[2]
end

--- The warning of a report with this reason.
function probes.warning(report, reason)
   for _, one in ipairs(report.warnings) do
      if one.reason == reason then return one end
   end
end

--- The reasons of all warnings of a report.
function probes.reasons(report)
   local list = {}
   for i, one in ipairs(report.warnings) do list[i] = one.reason end
   return list
end

return probes

-- A busted helper: notes every line that is shown, every error, receipt and report that is made, and
-- every secret that is used, for secrets_spec.lua to compare at the end.

-- The `lua` command follows no locale by itself.
local locale = os.getenv "SMTP_LOCALE"
if locale then
   assert(os.setlocale(locale), "there is no locale " .. locale)
   assert(("I"):lower() ~= "i" or locale:find("UTF-8", 1, true), locale .. " has the letters of ASCII")
end

local credentials = require "smtp.options.credentials"
local core = require "smtp.core"
local conversations = require "smtp.client.conversation"
local errors = require "smtp.errors"
local failure = require "smtp.result.failure"
local opening = require "smtp.client.opening"
local receipts = require "smtp.result.receipt"
local safe = require "smtp.safe"
local transcript = require "smtp.result.transcript"
require "smtp" -- all of it: what is loaded before the specs is the same for all of them

-- os.tmpname knows /tmp only. Where TMPDIR names a folder, the files of the specs are made in it.
local folder, count = os.getenv "TMPDIR", 0
if folder then
   local prefix = ("%s/lua_%s_"):format(folder, core.random(6):gsub(".", function(c)
      return ("%02x"):format(c:byte())
   end))
   function os.tmpname() -- luacheck: ignore
      count = count + 1
      local name = prefix .. count
      assert(io.open(name, "w")):close()
      return name
   end
end

local recorder = { log = {}, secrets = {} } -- log: each text once
local seen = {}

local function note(value, depth)
   if type(value) == "string" then
      if seen[value] then return end
      seen[value] = true
      recorder.log[#recorder.log + 1] = value
   elseif type(value) == "table" and depth < 4 then
      for key, inner in next, value do
         note(key, depth + 1)
         -- The cause is what a function of the caller's raised, as it is.
         if key ~= "cause" then note(inner, depth + 1) end
      end
   end
end

local fits = credentials.fits
function credentials.fits(name, value)
   local ok, why = fits(name, value)
   if ok and name ~= "username" and name ~= "authzid" then recorder.secrets[value] = true end
   return ok, why
end

-- Who traces has Lua send and receive: what nobody traces is looked at in the end.
local new_transcript = transcript.new
function transcript.new(trace, secrets)
   return new_transcript(trace and function(direction, line)
      note(direction .. ": " .. line, 0)
      trace(direction, line)
   end, secrets)
end

local open, forget, all = opening.open, conversations.Conversation.forget, {}

--- Note what all conversations show.
function recorder.finish()
   for i = 1, #all do note(all[i].transcript:lines(all[i].session), 0) end
   all = {}
end

function opening.open(...)
   local conv, err = open(...)
   if #all == 100 then recorder.finish() end
   all[#all + 1] = conv
   return conv, err
end

-- Another conversation may have its session.
function conversations.Conversation.forget(conv)
   recorder.finish()
   forget(conv)
end

local new_error = errors.new
function errors.new(kind, fields)
   local err = new_error(kind, fields)
   note(err, 0)
   note(tostring(err), 0)
   return err
end

local new_failure = failure.new
function failure.new(...)
   local err = new_failure(...)
   note(err, 0)
   note(tostring(err), 0)
   return err
end

local new_receipt = receipts.new
function receipts.new(...)
   local receipt = new_receipt(...)
   note(receipt, 0)
   return receipt
end

local probe = safe.probe
function safe.probe(...)
   local found, err = probe(...)
   note(found, 0)
   return found, err
end

package.loaded["spec.tools.recorder"] = recorder

--- Other libraries' cases, as transcripts of ours: what their tests show about a dialogue, in our own words.
--
-- A row is { name, options, script, expected }. `options` are those of smtp.send, or a function that makes them anew;
-- `script` is a transcript (spec/tools/talk.lua), or nil where no connection may be made. `expected` lists fields of
-- the error, or of the receipt where it has `states`: the states of the recipients, in a row. `body` is what the
-- server took as the message. A row with `call` calls something else with the options: it returns what smtp.safe does.

local busted = require "busted"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local peers = {}

local defaults = { from = "sender@example.com", to = "recipient@example.com", raw = "Subject: x\r\n\r\nbody\r\n" }

local snippets = {
   mail = "C: MAIL FROM:<sender@example.com>$1\nS: 250 ok",
   rcpt = "C: RCPT TO:<recipient@example.com>\nS: 250 ok",
   data = "C: DATA\nS: 354 go on\nMESSAGE",
   sent = [[
      <mail>
      <rcpt>
      <data>
      S: 250 ok
      <bye>
   ]],
}

--- The script of a file of rows, which knows <mail>, <rcpt>, <data>, and <sent> for all of them.
function peers.script(more)
   local all = {}
   for name, value in pairs(snippets) do all[name] = value end
   for name, value in pairs(more or {}) do all[name] = value end
   return talk.snippets(all)
end

local function options_of(row)
   local given = row[2]
   if type(given) == "function" then given = given() end
   local all = {}
   for name, value in pairs(defaults) do all[name] = value end
   for name, value in pairs(given or {}) do all[name] = value end
   return all
end

local function field(result, peer, name)
   if name == "states" then return result.recipients and talk.states(result) end
   if name == "body" then return peer and peer.body end
   return result[name]
end

local function check(row, receipt, err, peer)
   local wanted = row[4]
   local result = wanted.kind and err or not wanted.kind and receipt
   if not result then error(err and tostring(err) or "there is a receipt in place of an error", 0) end
   for name, value in pairs(wanted) do
      local got = field(result, peer, name)
      if type(value) == "table" then
         busted.assert.same(value, got)
      elseif got ~= value then
         error(("%s is %q in place of %q: %s"):format(name, tostring(got), tostring(value), tostring(result)), 0)
      end
   end
end

local function unreachable()
   error("a connection is made", 0)
end

--- Plays one row in each way in which a transcript is played.
function peers.play(row)
   local call = row.call or function(options) return safe.send(options) end
   if not row[3] then
      local all = talk.options(options_of(row))
      all.transport = unreachable
      return check(row, call(all))
   end
   for _, mode in ipairs { "whole", "bytes", "halves" } do
      local peer = talk.peer(row[3], mode)
      local receipt, err = call(talk.options(options_of(row), peer), peer)
      local ended, why = pcall(talk.finished, peer)
      if not ended then error(("%s\n-> the result is %s"):format(why, tostring(receipt or err)), 0) end
      check(row, receipt, err, peer)
   end
end

--- A spec for each row.
---@param title string
---@param rows table[]
function peers.rows(title, rows)
   busted.describe(title, function()
      for _, row in ipairs(rows) do
         busted.it(row[1], function() peers.play(row) end)
      end
   end)
end

return peers

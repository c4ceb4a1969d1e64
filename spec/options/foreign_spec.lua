-- Names and values that other libraries and programs use: each error names the option here.
local checked = require "spec.tools.checked"
local fields = require "smtp.options.foreign_fields"
local foreign = require "smtp.options.foreign"
local names = require "smtp.options.names"
local safe = require "smtp.safe"

local refused = checked.refused

local own = {}
for _, name in ipairs(names.all) do own[name] = true end

local function contains(text, word)
   return (" " .. text .. " "):find("[^A-Za-z0-9_]" .. word .. "[^A-Za-z0-9_]") ~= nil
end

-- The error of options, or of fields, that have one unknown name, by section.
local give = {}

function give.options(name) return refused { [name] = "x" } end

function give.attachment(name) return refused { attachments = { { content = "x", [name] = "x" } } } end

function give.address(name)
   return refused { to = { address = "bob@there.example", [name] = "x" } }
end

function give.envelope(name) return refused { envelope = { [name] = "x" } } end

function give.dsn(name) return refused { dsn = { [name] = "x" } } end

function give.dkim(name) return refused { dkim = { [name] = "x" } } end

function give.keepalive(name)
   return select(2, safe.connect { host = "mx.example", keepalive = { [name] = 1 } })
end

function give.settings(name)
   return select(2, safe.send_many({ host = "mx.example" }, {}, { [name] = 1 }))
end

function give.sink(name) return select(2, safe.sink { [name] = "x" }) end

function give.sink_auth(name)
   return select(2, safe.sink { auth = { users = { a = "b" }, [name] = "x" } })
end

describe("a name that other libraries use", function()
   for section, error_of in pairs(give) do
      local rows = section == "options" and foreign.rows or fields[section]
      it("leads to the name here: " .. section, function()
         for _, row in ipairs(rows) do
            for i = 3, #row do
               local err = error_of(row[i])
               assert.equal("usage", err.kind)
               assert.truthy(err.what:find("there is no option", 1, true), err.what)
               assert.truthy(err.what:find(row[i], 1, true), err.what)
               assert.equal(row[2], err.hint)
               if row[1] then assert.truthy(contains(row[2], row[1]), row[1] .. ": " .. row[2]) end
            end
         end
      end)
   end

   it("is in one row, and is none of ours", function()
      for section in pairs(give) do
         local seen = {}
         for _, name in ipairs(foreign.names(section)) do
            assert.equal(foreign.plain(name), name)
            assert.is_nil(seen[name], section .. ": " .. name)
            assert.is_true(section ~= "options" or not own[name], name)
            seen[name] = true
         end
      end
      for _, row in ipairs(foreign.rows) do assert.is_true(not row[1] or own[row[1]], row[1]) end
   end)

   for name, hint in pairs { pass = "Write password", body = "Write text", rcpt = "Write to", source = "Write raw",
      recipient = "Write to", ssl = 'Write tls = "implicit"', secure = 'Write tls = "implicit"',
      starttls = 'Write tls = "require"', use_tls = 'Write tls = "require"', timeout_ms = "Write timeout = 300, in s",
      connectTimeout = "Did you mean connect_timeout?", reply_to_address = "Write reply_to", debug = "Write trace",
      rejectUnauthorized = "Write tls_ca_file", mail_from = 'Write from = "ann', hostname = "Write host",
      requireTLS = 'Write tls = "require"', replyto = "Did you mean reply_to?", recipent = "Write to",
      smtp_server = "Write host", access_token = "Write token", password_file = "Write password = function",
      files = "Write attachments", name = "Write domain" } do
      it("is " .. name .. ": " .. hint, function()
         local err = refused { [name] = "x" }
         assert.equal(hint, err.hint:sub(1, #hint))
      end)
   end
end)

-- Numbers that do not fit, given to the modules written in C: an error, whatever else C would make of them.
local core = require "smtp.core"

local odd = { -1, -2 ^ 63, 2 ^ 63, 2 ^ 64, 1e300, math.huge, -math.huge, 0 / 0, 0.5 }

local function session()
   return core.session { domain = "me.example", extensions = {} }
end

local function mail(more)
   local t = { from = "a@x.example", to = { "b@x.example" } }
   for name, value in pairs(more) do t[name] = value end
   return core.transaction(t)
end

local calls = {
   ["session:news"] = function(n) return session():news(n) end,
   ["session:sent"] = function(n) return session():sent(n) end,
   ["session:body"] = function(n) return session():body("x", n) end,
   ["scanner:feed, from"] = function(n) return core.scanner():feed("x", n) end,
   ["scanner:feed, len"] = function(n) return core.scanner():feed("x", 1, n) end,
   ["core.transaction, others"] = function(n) return core.transaction({}, {}, nil, n) end,
   ["pipeline:post, from"] = function(n) return core.pipeline(session(), {}, 1):post({}, n, 1, 1, 1) end,
   ["pipeline:post, to"] = function(n) return core.pipeline(session(), {}, 1):post({}, 1, n, 1, 1) end,
   ["pipeline:post, index"] = function(n) return core.pipeline(session(), {}, 1):post({}, 1, 1, n, 1) end,
   ["core.random"] = function(n) return core.random(n) end,
}

local fields = {
   port = function(n) return core.session { domain = "me.example", extensions = {}, port = n } end,
   window = function(n) return core.session { domain = "me.example", extensions = {}, window = n } end,
   flight_max = function(n) return core.session { domain = "me.example", extensions = {}, flight_max = n } end,
   size = function(n) return mail { size = n ~= -1 and n or -2 } end,
   source_len = function(n) return mail { source_len = n ~= -1 and n or -2 } end,
   sleep = function(n) return core.sleep(n) end,
   by_seconds = function(n) return mail { asked = { by_seconds = n } } end,
}
local found, crypto = pcall(require, "smtp.crypto")
if found then
   calls["crypto.pbkdf2"] = function(n) return crypto.pbkdf2("SHA256", "x", "salt", n) end
   fields["crypto.scram"] = function(n)
      return crypto.scram { hash = "SHA256", username = "ann", password = "x", flag = "n", nonce = "n",
         iterations_min = n, iterations_max = 4096 }
   end
end

if not package.loaded.ngx then
   local socket = require "smtp.socket"
   calls["socket.listen"] = function(n) return socket.listen("127.0.0.1", n) end
   calls["socket.listen with a backlog"] = function(n) return socket.listen("127.0.0.1", 0, n) end
   calls["sock:connect"] = function(n) return socket.new():connect("127.0.0.1", n) end
   calls["sock:receiveany"] = function(n) return socket.new():receiveany(n) end
end

local function refuses(call, n)
   local ok, cause = pcall(call, n)
   assert.is_false(ok, tostring(n))
   assert.truthy(tostring(cause):find("bad argument", 1, true), cause)
end

describe("a number that does not fit is refused by", function()
   for name, call in pairs(calls) do
      it(name, function()
         for i = 1, #odd do refuses(call, odd[i]) end
      end)
   end
   for name, call in pairs(fields) do
      it(name, function()
         for i = 1, #odd - 1 do refuses(call, odd[i]) end
      end)
   end
end)

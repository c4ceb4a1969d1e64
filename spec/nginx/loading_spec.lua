-- No request waits in nginx while a file of this library is read: what was loaded with it before the first request is
-- all that requests need, whatever they do and whatever fails.
local server = require "spec.nginx.server"

local site = require "spec.nginx.site"

-- Each request tells which modules were looked for meanwhile.
local LOCATION = [[
location / {
   content_by_lua_block {
      local smtp = require "smtp.safe"
      local looked = {}
      table.insert(package.loaders, 1, function(name) looked[#looked + 1] = name end)
      local function options(more)
         local t = { host = "127.0.0.1", port = %d, tls = "skip", domain = "me.example", timeout = 10,
            from = "a@b.example", to = "c@d.example", subject = "Hi", text = "Hello" }
         for name, value in pairs(more or {}) do t[name] = value ~= "none" and value or nil end
         return t
      end
      local function message() return options { host = "none", port = "none", tls = "none", domain = "none",
         timeout = "none" } end
      local where = options { from = "none", to = "none", subject = "none", text = "none" }
      local does = {
         send = function() return smtp.send(options()) end,
         login = function()
            return smtp.send(options { username = "ann", password = "sesame-nginx", auth = "prefer" })
         end,
         composed = function()
            return smtp.send(options { html = "<p>Hello", attachments = { { content = "x", filename = "x.pdf" } } })
         end,
         observed = function()
            return smtp.send(options { observe = function() end, host = { "localhost", "127.0.0.1" } })
         end,
         unreached = function() return smtp.send(options { port = 1 }) end,
         misspelt = function() return smtp.send(options { hots = "x" }) end,
         url = function() return smtp.send(options { url = "smtp://127.0.0.1", service = "gmial" }) end,
         proxy = function() return smtp.send(options { host = "mx.example", proxy = "socks5://127.0.0.1:1" }) end,
         refused = function() return smtp.send(options { port = %d }) end,
         many = function() return smtp.send_many(where, { message() }) end,
         connection = function() return smtp.connect(where):close() end,
         probe = function() return smtp.probe(where) end,
         message = function() return smtp.message(message()) end,
         defer = function() return smtp.defer(options()) end,
      }
      local ok, result, err = pcall(does[ngx.var.uri:sub(2)])
      table.remove(package.loaders, 1)
      local outcome = type(err) == "table" and err.kind or "well"
      ngx.print(ok and "ran" or result, " ", outcome, " ", table.concat(looked, " "))
   }
}
]]

local outcomes = { send = "well", login = "well", composed = "well", observed = "well", unreached = "connect",
   misspelt = "usage", url = "usage", proxy = "connect", refused = "recipients_refused", many = "well",
   connection = "well", probe = "well", message = "well", defer = "well" }

describe("in nginx", function()
   local mx, strict, own

   setup(function()
      mx, strict = server.start(), server.start { refuse = { RCPT = "550 5.1.1 no such user" } }
      own = site.start(mx.port < 40000 and mx.port + 7000 or mx.port - 7000, LOCATION:format(mx.port, strict.port),
         { http = 'init_by_lua_block { require "smtp" }' })
   end)

   teardown(function()
      own:stop()
      strict:stop()
      mx:stop()
   end)

   for name, outcome in pairs(outcomes) do
      it("a request loads nothing: " .. name, function()
         local said = own:ask("/" .. name):receive("*a"):match "\r\n\r\n(.*)"
         assert.equal("ran " .. outcome .. " ", said)
      end)
   end
end)

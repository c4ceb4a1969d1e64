-- The option proxy.
local checked = require "spec.tools.checked"
local request = require "smtp.client.request"
local safe = require "smtp.safe"

local PASSWORD = "sesame-proxy-33"

local function read(url, more)
   local t = { host = "mx.example", proxy = url }
   for name, value in pairs(more or {}) do t[name] = value end
   local server, err = request.connection(t)
   return server, err
end

local function refused(url, more)
   local _, err = read(url, more)
   assert.truthy(safe.is_error(err, "usage"), tostring(err))
   assert.is_nil(tostring(err):find(PASSWORD, 1, true))
   assert.is_nil(tostring(err.value):find(PASSWORD, 1, true))
   return err
end

describe("proxy", function()
   it("is a URL, whose port has a default", function()
      for url, want in pairs {
         ["socks5://proxy.example"] = { "socks5", "proxy.example", 1080, nil, nil },
         ["SOCKS5://Proxy.example:9/"] = { "socks5", "Proxy.example", 9, nil, nil },
         ["http://10.0.0.1"] = { "http", "10.0.0.1", 3128, nil, nil },
         ["http://[::1]:8080"] = { "http", "::1", 8080, nil, nil },
         ["socks5://a%40b:p%3Aw%2F%25@proxy.example"] = { "socks5", "proxy.example", 1080, "a@b", "p:w/%" },
         ["socks5://a:b:c@proxy.example"] = { "socks5", "proxy.example", 1080, "a", "b:c" },
         ["http://token:@proxy.example"] = { "http", "proxy.example", 3128, "token", "" } } do
         local proxy = assert(read(url)).proxy
         assert.same(want, { proxy.scheme, proxy.host, proxy.port, proxy.username, proxy.password })
      end
      local proxy = read("http://ann:" .. PASSWORD .. "@[::1]:8080").proxy
      assert.same({ "[::1]:8080", "http://[::1]:8080" }, { proxy.place, proxy.url })
   end)

   for url, words in pairs {
      ["proxy.example:1080"] = { "which kind", "socks5://HOST:1080" }, [""] = { "which kind" },
      ["socks4://proxy.example"] = { "socks4://", "socks5://" }, ["socks4a://x"] = { "socks4a://", "socks5://" },
      ["socks://proxy.example"] = { "socks://", "socks5://" },
      ["socks5h://proxy.example"] = { "socks5h://", "looks up the name" },
      ["https://proxy.example"] = { "https://", "http://" }, ["smtp://proxy.example"] = { "smtp://", "socks5://" },
      ["http://"] = { "does not name a host" }, ["http://:80"] = { "does not name a host" },
      ["http://ann:" .. PASSWORD .. "@"] = { "does not name a host" },
      ["http://proxy.example/path"] = { "more than a host", "Remove" },
      ["http://proxy.example:80?x"] = { "more than a host" },
      ["http://ann:" .. PASSWORD .. "/x@proxy.example"] = { "with / ? or #", "%2F" },
      ["http://proxy.example:port"] = { "not a number" }, ["http://proxy.example:99999"] = { "99999", "1080" },
      ["http://proxy.example:0"] = { "0" }, ["http://pro xy"] = { "neither a host name nor an address" },
      ["socks5://ann@proxy.example"] = { "without a password" },
      ["socks5://ann:@proxy.example"] = { "without a password" },
      ["http://ann@proxy.example"] = { "without a password" },
      ["http://:" .. PASSWORD .. "@proxy.example"] = { "without a user" },
      ["http://a%3Ab:" .. PASSWORD .. "@proxy.example"] = { "colon" },
      ["socks5://ann:" .. ("x"):rep(256) .. "@proxy.example"] = { "255 bytes" },
      ["http://ann:" .. PASSWORD .. "%zz@proxy.example"] = { "%25" },
      ["http://ann:" .. PASSWORD .. "%0a@proxy.example"] = { "line break" },
      ["http://proxy.example\n"] = { "line break" },
   } do
      it("is refused with a remedy: " .. url:gsub("%c", "?"):sub(1, 60), function()
         local err = refused(url)
         assert.equal("proxy", err.option)
         for _, word in ipairs(words) do assert.truthy(tostring(err):find(word, 1, true), tostring(err)) end
      end)
   end

   it("is a string", function()
      local err = refused({ PASSWORD })
      assert.truthy(err.what:find("a string", 1, true))
   end)

   it("needs a host, and excludes a unix socket and a transport", function()
      local _, err = request.connection { proxy = "http://proxy.example" }
      assert.same({ "proxy", "Add host: the proxy needs to know the mail server" }, { err.option, err.hint })
      _, err = request.connection { proxy = "http://proxy.example", socket = "/run/x", tls = "skip" }
      assert.truthy(err.what:find("unix socket", 1, true))
      for _, host in ipairs { "mx.example", false } do
         err = select(2, request.connection { proxy = "http://proxy.example", transport = checked.untouched(),
            host = host or nil, tls = "skip" })
         assert.truthy(err.what:find("proxy has no effect on a connection of your transport", 1, true), err.what)
      end
      assert.truthy(read("http://proxy.example", { source_address = "127.0.0.1" }))
      assert.truthy((request.connection { proxy = "http://proxy.example", url = "smtp://mx.example" }))
      assert.truthy((request.connection { proxy = "http://proxy.example", service = "gmail" }))
   end)

   it("has no loopback beyond it", function()
      for _, host in ipairs { "localhost", "127.0.0.1", "::1" } do
         local server = read("socks5://localhost", { host = host })
         assert.same({ "require", false }, { server.tls, server.loopback })
      end
   end)

   it("makes another server of the same options", function()
      local first = read "http://proxy.example"
      assert.equal(first, (read "http://proxy.example"))
      assert.is_not.equal(first, (read "http://other.example"))
   end)

   it("is meant by other names for it", function()
      for _, name in ipairs { "http_proxy", "proxyUrl", "socks5" } do
         local _, err = safe.send { host = "mx.example", [name] = "x" }
         assert.truthy(tostring(err):find("proxy = ", 1, true), tostring(err))
      end
   end)
end)

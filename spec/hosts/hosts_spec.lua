-- Mail from inside event loops: the loop goes on, and what is promised elsewhere holds there too.
local hosting = require "spec.hosts.hosting"

local hosts = {}
local function add(name, lua, line, more)
   local host = { name = name, lua = lua, line = line }
   for key, value in pairs(more or {}) do host[key] = value end
   hosts[#hosts + 1] = host
end

for _, lua in ipairs { "lua5.1", "lua5.2", "lua5.3", "lua5.4", "luajit" } do
   add("cqueues, " .. lua, lua, lua .. " spec/hosts/cqueues.lua")
   add("luv, " .. lua, lua, lua .. " spec/hosts/luv.lua")
end
for _, lua in ipairs { "lua5.1", "lua5.2" } do add("copas 1.2, " .. lua, lua, lua .. " spec/hosts/copas.lua") end
for _, lua in ipairs { "lua5.1", "lua5.2", "luajit" } do -- Debian has no lpeg_patterns for 5.3
   add("lua-http, " .. lua, lua, lua .. " spec/hosts/lua_http.lua")
end
add("Neovim 0.7, LuaJIT", "luajit", "nvim --headless -u NONE -c 'luafile spec/hosts/luv.lua'")
add("Prosody 0.12, lua5.4", "lua5.4",
   "env MODULE=measure prosody -F --config spec/hosts/prosody/prosody.cfg.lua")
add("HAProxy 2.6, lua5.3", "lua5.3", "haproxy -f spec/hosts/haproxy.cfg", { implicit = true, is_relayed = true })

describe("in", function()
   teardown(function()
      io.write("\n", hosting.table())
      hosting.stop()
   end)

   describe("cqueues", function()
      it("smtp.send without the option loop blocks", function()
         local figures = hosting.measured { name = "cqueues without loop", lua = "lua5.4",
            line = "env BLOCKED=1 lua5.4 spec/hosts/cqueues.lua", is_blocked = true }
         assert.equal("authenticated", figures.sent)
         assert.is_true(figures.ticks < 0.5)
      end)
   end)

   for _, host in ipairs(hosts) do
      describe(host.name, function()
         local figures
         lazy_setup(function() figures = hosting.measured(host) end)

         it("keeps nine of ten ticks while a name is looked up and a message goes out, with a login in TLS", function()
            assert.equal("authenticated", figures.sent)
            local log = hosting.server(host.implicit and "slow-tls" or "slow").said()
            assert.truthy(log:find(("message ann tls %s\n"):format(figures.subject), 1, true), log)
            assert.is_true(figures.ticks >= hosting.TICKS_MIN, figures.ticks)
            assert.is_true(host.is_relayed or tonumber(figures.lines.seconds[1]) > 1.2) -- 0.5 of them a look-up
         end)

         it("gives no password to a server whose certificate is for another name", function()
            assert.equal(host.is_relayed and "disconnected closed" or "certificate wrong_host", figures.wrong_name)
            local log = hosting.server(host.implicit and "refused-tls" or "refused").said()
            assert.truthy(host.implicit or log:find("\nC %d+ STARTTLS\n"), log)
            assert.is_nil(log:find("AUTH", 1, true))
         end)

         it("gives a server up that drips when its time is over, and keeps ticking until then", function()
            assert.equal("timeout", figures.drip)
            assert.is_true(figures.seconds >= 1 and figures.seconds < 2, figures.seconds)
            assert.is_true(figures.ticks_of_drip >= hosting.TICKS_MIN, figures.ticks_of_drip)
         end)

         it("sends 200 messages at once", function()
            assert.same({ "" }, figures.lines["end"], figures.output)
            assert.is_nil(figures.lines.failed)
            if host.is_relayed then return end
            assert.is_true(figures.at_once <= hosting.RATIO_MAX, figures.at_once)
            assert.is_true(figures.many <= hosting.RATIO_MAX, figures.many)
         end)
      end)
   end
end)

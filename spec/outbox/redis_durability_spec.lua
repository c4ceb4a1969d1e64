-- What the store says about the configuration of a server.
local durability = require "smtp.outbox.redis_durability"

-- `as_table`: as redis-lua returns it
local function warnings(settings, as_table)
   local said = {}
   durability.check(function(command, word, name)
      assert.same({ "config", "get" }, { command, word })
      if settings == nil then return nil, "ERR unknown command 'CONFIG'" end
      return as_table and { [name] = settings[name] } or { name, settings[name] }
   end, function(text) said[#said + 1] = text end)
   return table.concat(said, "\n")
end

describe("The configuration of Redis", function()
   local safe = { appendonly = "yes", appendfsync = "always", save = "", ["maxmemory-policy"] = "noeviction" }

   local function changed(name, value)
      local copy = { [name] = value }
      return setmetatable(copy, { __index = safe })
   end

   it("gives no warning if nothing can be lost", function()
      assert.equal("", warnings(safe))
      assert.equal("", warnings(safe, true))
      assert.equal("", warnings(changed("maxmemory-policy", "volatile-lru")))
   end)

   it("gives a warning, with its remedy, if something can", function()
      for _, as_table in ipairs { false, true } do
         assert.matches("^Redis writes nothing to the disk: .* Set appendonly yes and appendfsync always$",
            warnings(changed("appendonly", "no"), as_table))
         assert.matches("%(appendfsync everysec%): .* Set appendfsync always$",
            warnings(changed("appendfsync", "everysec"), as_table))
         assert.matches("%(maxmemory%-policy allkeys%-lru%): .* Set maxmemory%-policy noeviction$",
            warnings(changed("maxmemory-policy", "allkeys-lru"), as_table))
      end
      assert.matches("^Redis writes snapshots only: ", warnings { appendonly = "no", save = "3600 1" })
   end)

   it("gives none where it is not shown", function()
      assert.equal("", warnings(nil))
      assert.equal("", warnings {})
   end)

   it("does not care about what the caller's function does", function()
      durability.check(function(_, _, name) return { name, "no" } end, error)
   end)
end)

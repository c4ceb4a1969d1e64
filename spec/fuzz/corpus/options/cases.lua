-- Options that have failed once, or that only a rare case has: each calls a door with the transport of a server.
return {
   { "no messages at all", function(safe, transport)
      return safe.send_many({ host = "mx.example", tls = "skip", transport = transport }, {})
   end },
   { "an iterator that has none", function(safe, transport)
      return safe.send_many({ host = "mx.example", tls = "skip", transport = transport }, function() end)
   end },
   { "a name with U+2028 is a name", function(safe, transport)
      return safe.send { host = "mx.example", tls = "skip", transport = transport, from = "ann@example.org",
         to = "x\226\128\168MAIL FROM:<bob@example.net>", text = "Hi\n" }
   end },
   { "settings whose fields raise", function(safe, transport)
      return safe.send_many({ host = "mx.example", tls = "skip", transport = transport }, { { text = "x" } },
         setmetatable({}, { __index = function() error "raised by a caller's function" end }))
   end },
   { "an error that cannot be shown", function(safe, transport)
      return safe.send { host = "mx.example", tls = "skip", transport = transport, from = "ann@example.org",
         to = "bob@example.net", raw = function()
            error(setmetatable({}, { __tostring = function() error "no" end, __index = function() error "no" end }))
         end }
   end },
}

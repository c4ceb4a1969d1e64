-- The measurements in HAProxy, over the transport of examples/haproxy.

package.path = package.path .. ";examples/haproxy/?.lua"
local measure = require "spec.hosts.measure"
local transport = require "haproxy_transport"

core.register_task(function()
   measure.all {
      has_no_nested = true,
      options = function(t, kind)
         t.tls, t.tls_ca_file = "implicit", nil
         t.transport = transport(("unix@%s/%s.sock"):format(os.getenv "TMPDIR", kind))
         return t
      end,
      spawn = function(fn) core.register_task(fn) end,
      after = function(seconds, fn)
         core.register_task(function()
            core.msleep(math.max(1, math.ceil(seconds * 1000)))
            fn()
         end)
      end,
      run = function(main) main(function() os.exit(0) end) end,
   }
end)

-- What contact_form.py finds: one `it` for each of its checks, and one for itself.
local pipe = assert(io.popen("timeout 900 python3 -B spec/browser/contact_form.py 2>&1"))
local all, found, current = {}, {}, nil
for line in pipe:lines() do
   all[#all + 1] = line
   local no, description = line:match("^(n?o?t? ?)ok %- ([^#]*[^# ])")
   if no then
      current = { ok = no == "", description = description, lines = {} }
      found[#found + 1] = current
   elseif current then
      current.lines[#current.lines + 1] = line
   end
end
pipe:close()

describe("the contact form in a browser:", function()
   for _, one in ipairs(found) do
      it(one.description, function()
         assert(one.ok, table.concat(one.lines, "\n"))
      end)
   end

   it("all checks were made", function()
      assert.truthy((all[#all] or ""):find("^%d+ passed, %d+ failed$"), table.concat(all, "\n"))
      assert.truthy(#found >= 30, table.concat(all, "\n"))
   end)
end)

-- A message from a template: {name} is replaced by a value. In HTML, values are escaped.
local smtp = require "smtp.safe"

local escapes = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local function fill(template, values, is_html)
   return (template:gsub("{(%w+)}", function(name)
      local value = tostring(values[name] or error("no value for {" .. name .. "}", 2))
      return is_html and value:gsub('[&<>"]', escapes) or value
   end))
end

local values = { name = "Bob & Söhne", order = 4711, total = "120 €" }

local receipt, err = smtp.send {
   host = arg[1], port = arg[2],
   from = "shop@example.org", to = { name = values.name, address = "bob@example.net" },
   subject = fill("Your order {order}", values),
   text = fill("Dear {name},\n\nyour order {order} costs {total}.\n", values),
   html = fill("<p>Dear {name},</p><p>order <b>{order}</b> costs {total}.</p>\n", values, true),
}
print(receipt and receipt.reply.text or tostring(err))
if not receipt then os.exit(1) end

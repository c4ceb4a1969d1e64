-- Where do the milliseconds of a message go? Sends one, and draws a bar for each stage.
local smtp = require "smtp.safe"

local WIDTH = 40
local bars, notes, total = {}, {}, 1e-6

local function observe(event)
   if event.ended then -- "stage" and "done" say how long the stage before them took
      total = math.max(total, event.seconds)
      bars[#bars + 1] = { name = event.ended, from = event.seconds - event.took, took = event.took }
   end
   if event.name == "tls" then
      notes[#notes + 1] = event.version .. (event.resumed and ", resumed" or ", a new session")
   elseif event.name == "done" then
      notes[#notes + 1] = ("%d bytes sent, %d heard"):format(event.sent_bytes, event.heard_bytes)
   elseif event.kind then -- "result" of a message that was not sent
      notes[#notes + 1] = ("not sent: %s, %s"):format(event.kind, event.reason)
   elseif event.name == "result" then
      notes[#notes + 1] = ("sent to %d, refused for %d"):format(event.accepted, event.refused)
   end
end

local _, err = smtp.send {
   host = arg[1], port = arg[2], observe = observe,
   username = os.getenv "SMTP_USER", password = os.getenv "SMTP_PASSWORD",
   from = "ann@example.org", to = "bob@example.net",
   subject = "Waterfall", text = "How long does it take?",
}

for _, bar in ipairs(bars) do
   local left = math.floor(bar.from / total * WIDTH)
   local length = math.max(1, math.floor(bar.took / total * WIDTH + 0.5))
   local picture = (" "):rep(left) .. ("#"):rep(length)
   print(("%-9s%9.2f ms |%s"):format(bar.name, bar.took * 1000, picture))
end
print(("%-9s%9.2f ms |%s"):format("total", total * 1000, table.concat(notes, "; ")))
if err then print(err) end
os.exit(err and 1 or 0)

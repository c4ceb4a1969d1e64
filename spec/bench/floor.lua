-- The least that a message costs from Lua: see floor.c. floor.lua send|post|receipts PORT COUNT FILE
--
-- With receipts: each message then has the tables that smtp.send_many has to give, and a function
-- that is called with them; what is in there is not the server's.
local floor = require "floor"

local file = assert(io.open(arg[4], "rb"))
local data = file:read("*a")
file:close()
floor.open(tonumber(arg[2]))

local shared = {}

local function receipt()
   return {
      recipients = { { address = "bob@there.example", state = "accepted", code = 250,
         enhanced = "2.1.5", text = "Ok" } },
      accepted = { "bob@there.example" }, refused = {},
      reply = { code = 250, enhanced = "2.0.0", text = "Ok" },
      message_id = nil, size = #data, seconds = 0, auth = shared, tls = shared, server = shared,
      capabilities = shared, extensions = shared,
   }
end

local count, sent = tonumber(arg[3]), 0

local function messages()
   sent = sent + 1
   return { from = "ann@me.example", to = "bob@there.example", data = data }
end

local function on_result() end

local how = arg[1]
local send = floor[how == "send" and "send" or "post"]
for i = 1, count do
   send(messages())
   if how == "receipts" then on_result(i, receipt()) end
end
floor.close()

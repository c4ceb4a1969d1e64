--- The headers that a DKIM signature covers: those of this library, or those of the caller.
-- @module smtp.compose.dkim_headers

local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local refuse = require("smtp.errors").refuse

local dkim_headers = {}

-- The headers that are signed (RFC 6376 5.4.1), each as often as it occurs. Where h= contains the
-- name once more, a further header of that name breaks the signature (8.15); without this, a header
-- that is added above would be the one that readers show.
--
--    always    once more, even where the message has none: these headers show the author, the
--              recipients, the subject and the type of the body
--    present   once more where the message has one. Where it has none, a submission server may add
--              it (RFC 6409 8), or a mailing list its own
--    (empty)   not once more: a forwarder may add its own
local signed = {
   { "From", "always" }, { "Sender", "present" }, { "Reply-To", "always" }, { "To", "always" },
   { "Cc", "always" }, { "Subject", "always" }, { "Date", "present" }, { "Message-ID", "present" },
   { "In-Reply-To", "present" }, { "References", "present" }, { "MIME-Version", "always" },
   { "Content-Type", "always" }, { "Content-Transfer-Encoding", "always" },
   { "Content-ID", "present" }, { "Content-Description", "present" },
   { "Content-Disposition", "present" }, { "Auto-Submitted", "" }, { "Resent-Date", "" },
   { "Resent-From", "" }, { "Resent-Sender", "" }, { "Resent-To", "" }, { "Resent-Cc", "" },
   { "Resent-Message-ID", "" }, { "List-Id", "" }, { "List-Help", "" }, { "List-Subscribe", "" },
   { "List-Post", "" }, { "List-Owner", "" }, { "List-Archive", "" },
   -- RFC 8058 4 requires that both are signed.
   { "List-Unsubscribe", "present" }, { "List-Unsubscribe-Post", "present" },
   -- Providers that report complaints by it require that it is signed.
   { "Feedback-ID", "" },
}

local known = {}
for i = 1, #signed do known[ascii.lower(signed[i][1])] = signed[i] end

-- These are never signed: they are removed, or change on the way.
local never = { received = true, ["return-path"] = true, bcc = true, ["resent-bcc"] = true,
   ["dkim-signature"] = true }

-- A name, or a list of names -> names in lower case, in their order; how often each occurs, and how
-- it was spelled, by the name in lower case. No error repeats a value: it may be a key.
local function read_names(value, option)
   local hint = ('Write %s = { "Subject", "Date" }'):format(option:match("[^.]*$"))
   if type(value) == "string" then value = { value } end
   if type(value) ~= "table" then
      refuse(option, ("%s: expected a list of names of headers, got %s"):format(option,
         check.type_name(value)), hint)
   end
   value = check.plain(value)
   check.is_list(value, option, hint)
   local list, count, spelled = {}, {}, {}
   for i = 1, #value do
      local name = value[i]
      if type(name) ~= "string" or not name:find("^[!-9;-~]+$") then
         refuse(("%s[%d]"):format(option, i), ("%s[%d] is not the name of a header"):format(option,
            i), hint .. ": each entry is one name, without a colon")
      end
      local lower = ascii.lower(name)
      if not count[lower] then list[#list + 1], spelled[lower] = lower, name end
      count[lower] = (count[lower] or 0) + 1
   end
   return list, count, spelled
end

-- The names that the caller wants to be signed, and how: a name that is given twice is signed once
-- more than it occurs.
local function of_caller(value, option)
   local list, count, spelled = read_names(value, option)
   local rules = count.from and {} or { known.from }
   for i = 1, #list do
      local name = list[i]
      if never[name] then
         refuse(option, ("%s contains %s, which is never signed: it is removed or changes on the "
            .. "way"):format(option, spelled[name]), "Leave it out of " .. option)
      end
      local word = known[name] and known[name][2] or ""
      rules[#rules + 1] = { known[name] and known[name][1] or spelled[name],
         count[name] > 1 and "always" or word }
   end
   return rules
end

-- The rules as one text, which crypto.dkim_header reads.
local function join(rules, skipped)
   local parts = {}
   for i = 1, #rules do
      if not skipped[ascii.lower(rules[i][1])] then
         parts[#parts + 1] = rules[i][1] .. ":" .. rules[i][2]:sub(1, 1) .. ":"
      end
   end
   return table.concat(parts)
end

local by_default = join(signed, {})

--- Which headers a signature covers. From is always among them (RFC 6376 5.4).
---@param headers? string|string[]   the names of the headers to sign; nil: those of this library
---@param skip? string|string[]      the names of headers that are not signed
---@param at string                  the option that both are fields of
---@return string   "From:a:Date:p:Auto-Submitted::": each name, and the first letter of its word
function dkim_headers.rules(headers, skip, at)
   if headers == nil and skip == nil then return by_default end
   local rules, skipped = signed, {}
   if headers ~= nil then rules = of_caller(headers, at .. ".headers") end
   if skip ~= nil then
      local _, count = read_names(skip, at .. ".skip")
      if count.from then
         refuse(at .. ".skip", at .. ".skip contains From, which every signature must cover "
            .. "(RFC 6376 5.4)", "Leave From out of skip")
      end
      skipped = count
   end
   return join(rules, skipped)
end

return dkim_headers

--- Errors as objects, which programs can distinguish by their class.
-- An error is a table whose metatable is its class; `kind` is the class name without Error, in
-- snake case. Ask with errors.is, never by text.
-- @module smtp.errors

local ascii = require "smtp.ground.ascii"

local errors = {}

-- Each class with the classes below it, those above first.
local tree = {
   { "Error", "UsageError", "SystemError", "ConnectError", "TimeoutError", "DisconnectedError",
      "ProtocolError", "TlsError", "NotSupportedError", "AuthError", "ReplyError", "SourceError" },
   { "UsageError", "AddressError" },
   { "ConnectError", "ResolveError" },
   { "TlsError", "CertificateError", "TlsRequiredError" },
   { "NotSupportedError", "AuthUnsupportedError", "TlsUnsupportedError",
      "ExtensionUnsupportedError" },
   { "AuthError", "AuthRejectedError", "AuthTemporaryError", "AuthInsecureError",
      "AuthRequiredError" },
   { "ReplyError", "GreetingRefusedError", "SenderRefusedError", "RecipientsRefusedError",
      "DataRefusedError", "MessageTooLargeError" },
}

--- Every class by its name: errors.classes.AuthUnsupportedError.
errors.classes = {}

local by_kind = {}

local function printable(text)
   return (text:gsub("[%z\1-\31\127]+", " "))
end

local SHOWN_MAX = 600 -- octets of what is wrong: a value may be of any length

--- A text of at most `max` bytes, and a mark where it was longer. No character is cut in two.
function errors.cut(text, max, mark)
   if #text <= max then return text end
   return text:sub(1, max):gsub("[\192-\255][\128-\191]*$", "") .. mark
end

local function ended(sentence)
   sentence = sentence:gsub("[ :;,]+$", "")
   return sentence:find("[.!?]$") and sentence or sentence .. "."
end

--- What the server said, as the end of a sentence: " (554 5.7.1): no"; "" where it said nothing.
---@param err smtp.Error
---@return string
function errors.reply(err)
   local said = ""
   if err.code then
      said = (" (%s%s)"):format(err.code, err.enhanced and " " .. err.enhanced or "")
   end
   return err.text and err.text ~= "" and said .. ": " .. err.text or said
end

local has_recipients = { recipients_refused = true, data_refused = true }

-- What the server said to refused recipients. nil: nothing else than the reply of the error. That
-- reply has to do if the module cannot be read now.
local function refusals_of(err)
   local ok, refusals = pcall(require, "smtp.ground.refusals")
   if ok then return refusals.of(err) end
   package.loaded["smtp.ground.refusals"] = nil -- in Lua 5.1 a mark that it is being loaded
end

--- One line for a log: what was attempted, where, what the server said, what to change.
local function line(err)
   local said = has_recipients[err.kind] and refusals_of(err) or errors.reply(err)
   local hint = err.hint and " " .. ended(err.hint) or ""
   local what = errors.cut(err.what or err.kind, SHOWN_MAX, "… [cut]")
   return printable("smtp: " .. ended(what .. said) .. hint)
end

local function concat(left, right)
   return tostring(left) .. tostring(right)
end

local function add_class(name, kind, parent)
   local class = { __name = "smtp." .. name, __tostring = line, __concat = concat,
      name = name, kind = kind, parent = parent }
   class.__index = class
   errors.classes[name], by_kind[kind] = class, class
end

local word_of = {}
for upper, lower in next, ascii.lower_of do word_of[upper] = "_" .. lower end

-- "TlsRequiredError" -> "tls_required"
local function kind_of(name)
   local words = name:sub(1, -1 - #"Error"):gsub("[A-Z]", word_of)
   return words:sub(2)
end

add_class("Error", "error")
for _, family in ipairs(tree) do
   for i = 2, #family do
      add_class(family[i], kind_of(family[i]), errors.classes[family[1]])
   end
end

--- Make an error object.
---@param kind string     a class in snake case: "auth_unsupported"
---@param fields table    becomes the object: what, hint, reason, stage, code, …
---@return table
function errors.new(kind, fields)
   fields.kind = kind
   fields.sent = fields.sent or "no"
   fields.retry = fields.retry or (kind == "system" and "later" or "never")
   fields.temporary = fields.retry == "later"
   return setmetatable(fields, by_kind[kind])
end

-- These name an argument, and no option that could be looked up.
local is_argument = { options = true, connection = true, defer = true }

-- Is `name` a word of the text?
local function names(text, name)
   local at, stop = text:find(name, 1, true)
   while at do
      local before, after = text:sub(at - 1, at - 1), text:sub(stop + 1, stop + 1)
      if (at == 1 or not before:find("[A-Za-z0-9_]")) and not after:find("[A-Za-z0-9_]") then
         return true
      end
      at, stop = text:find(name, stop + 1, true)
   end
   return false
end

-- The line says which option is wrong.
local function named(option, what, hint)
   if type(option) ~= "string" or is_argument[option] then return what end
   if names(what, option) or hint and names(hint, option) then return what end
   return option .. ": " .. what
end

--- The error of a caller's mistake that was found before anything was sent.
---@param option string   the option's name
---@param what string     what is wrong with it
---@param hint string     what to write instead: every error of the caller's has a remedy
---@param value? any
---@return table
function errors.usage(option, what, hint, value)
   return errors.new("usage", { option = option, what = named(option, what, hint), value = value,
      hint = hint })
end

--- The error of a method that was called with a dot.
---@param object string   "connection"
---@param name string     the method's name
function errors.needs_colon(object, name)
   return errors.usage(object, ("call %s:%s with a colon"):format(object, name),
      ("Write %s:%s(…)"):format(object, name))
end

--- Raise the UsageError of a caller's mistake: see errors.usage. Checks of options raise it; the
-- functions that users call return it (errors.returning).
function errors.refuse(...)
   error(errors.usage(...), 0)
end

--- The error of an address that is not valid.
function errors.address(option, value, what, hint)
   return errors.new("address", { option = option, value = value, what = named(option, what, hint),
      hint = hint })
end

--- The class of this name in snake case, or this class itself; nil where there is none.
---@param class any
---@return table|nil
function errors.class(class)
   if type(class) == "string" then return by_kind[class] end
   return type(class) == "table" and by_kind[rawget(class, "kind")] == class and class or nil
end

--- Is `value` an error of this library, and of this class (or a class below it)?
---@param value any
---@param class? table|string   smtp.AuthUnsupportedError or "auth_unsupported"
---@return boolean
function errors.is(value, class)
   local found = type(value) == "table" and getmetatable(value)
   if not found or by_kind[found.kind] ~= found then return false end
   if class == nil then return true end
   local wanted = errors.class(class)
   while found and found ~= wanted do found = found.parent end
   return found ~= nil
end

-- ---- no memory ----

local LACK = "not enough memory" -- the only sign of it, in all versions of Lua

-- What passes through where there is no memory for the error either: a call further out, which may
-- have it and knows nothing of the message, does not say that nothing was sent.
local LACK_IN_DOUBT = LACK .. "; the message may have been delivered"

local LACK_HINTS = {
   no = "Free what this process does not need, or raise its limits, then try again",
   maybe = "Check whether the message arrived before you send it again" }

local function new_lack(sent)
   local is_unsent = sent == "no"
   return errors.new("system", { reason = "memory", sent = sent,
      retry = is_unsent and "later" or "doubt", hint = LACK_HINTS[sent],
      what = is_unsent and "Lua has not enough memory"
         or "Lua has not enough memory; the message may have been delivered" })
end

-- Made beforehand, for when there is no memory for an error either. A caller may change an error,
-- so each is given once.
local spare = { no = new_lack "no", maybe = new_lack "maybe" }

--- Is this what Lua raises where it has no memory?
---@param cause any
---@return boolean
function errors.is_lack(cause)
   return type(cause) == "string" and cause:find(LACK, 1, true) ~= nil
end

--- The error of this library for that. What the call that failed had opened is closed first.
---@param sent "no"|"maybe"   may a recipient have the message?
---@return table|nil   nil where there is no memory for it
function errors.lack(sent)
   pcall(collectgarbage)
   pcall(collectgarbage) -- what the finalizers of the first one have left
   local ok, err = pcall(new_lack, sent)
   if not ok then
      err, spare[sent] = spare[sent], nil
   elseif not spare[sent] then
      local is_made, another = pcall(new_lack, sent)
      spare[sent] = is_made and another or nil
   end
   return err
end

--- What pcall caught, as results: nil and an error of this library. Any other error passes through,
-- unless Lua has no memory.
---@param err any
---@param sent? "no"|"maybe"   for that: may a recipient have the message? By default "no"
---@return nil
---@return table err
function errors.caught(err, sent)
   if errors.is(err) then return nil, err end
   if not errors.is_lack(err) then error(err, 0) end
   if sent == "maybe" then err = LACK_IN_DOUBT end
   local lack = errors.lack(err == LACK_IN_DOUBT and "maybe" or "no")
   if not lack then error(err, 0) end
   return nil, lack
end

--- What a protected call returned, as results: see errors.caught.
function errors.results(ok, ...)
   if ok then return ... end
   return errors.caught((...))
end

local results = errors.results

--- Can a function that pcall calls yield? A trial cannot show it: the coroutines of nginx yield
-- themselves, which is not possible while nginx loads a module.
errors.yields_across_pcall = _VERSION ~= "Lua 5.1" or package.loaded.jit ~= nil

local function guard_main_thread(fn, ...)
   if coroutine.running() then return true, fn(...) end
   return pcall(fn, ...)
end

--- pcall, for functions of this library that may yield. In a coroutine of Lua 5.1, what they raise
-- passes through.
errors.guard = errors.yields_across_pcall and pcall or guard_main_thread

local guard = errors.guard

--- A function that returns what `fn`, which may yield, returns; nil and a SystemError where Lua has
-- no memory for it.
---@param fn function
---@return function
function errors.guarded(fn)
   return function(...) return results(guard(fn, ...)) end
end

--- A function that returns what `fn` returns, or nil and the error of this library that it raised.
---@param fn function
---@return function
function errors.returning(fn)
   return function(...) return results(pcall(fn, ...)) end
end

return errors

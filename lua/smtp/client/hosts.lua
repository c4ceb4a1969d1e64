--- Several hosts for the same mail: a conversation with the first that greets. What fails after
-- EHLO is not a failure of the host, and no other one is tried.
-- @module smtp.client.hosts

local core = require "smtp.core"
local errors = require "smtp.errors"
local findings = require "smtp.client.findings"
local memory = require "smtp.client.memory"
local opening = require "smtp.client.opening"

local hosts = {}

-- ---- failures of a host ----

-- By the stage: the kinds of errors after which the next host is tried. TLS from the first byte
-- comes before the greeting: a host that ends it or does not answer has not greeted, while one with
-- a wrong certificate is not to be replaced by another in silence.
local unreachable = { resolve = true, connect = true, timeout = true }
local ungreeted = { greeting_refused = true, disconnected = true, timeout = true, protocol = true }
local is_movable = { resolve = unreachable, connect = unreachable, greeting = ungreeted,
   ehlo = ungreeted, tls = { disconnected = true, timeout = true } }

-- The same proxy leads to all of them.
local is_of_proxy = { proxy_unreachable = true, proxy_auth = true, proxy_protocol = true }

-- Is this the trouble, or the error, of one host?
local function is_of_host(trouble, server)
   local kinds = is_movable[trouble.stage]
   if not kinds or not kinds[trouble.kind] or is_of_proxy[trouble.reason] then return false end
   return trouble.stage ~= "tls" or server.tls == "implicit"
end

-- ---- the error of all of them ----

local NAMED_MAX, WHAT_MAX = 3, 150

local rank = { now = 3, later = 2, never = 1 }

local function described(err)
   return errors.cut(err.what .. errors.reply(err), WHAT_MAX, "…")
end

-- The error with the best `retry`; of several, that of the preferred host. It names the others.
local function error_of(list, tried)
   local best, others = list[1], {}
   for i = 2, #list do
      if (rank[list[i].retry] or 0) > (rank[best.retry] or 0) then best = list[i] end
   end
   for i = 1, #list do
      if list[i] ~= best and #others < NAMED_MAX then others[#others + 1] = tried[i] end
   end
   if others[1] then best.what = table.concat(others, "; ") .. "; " .. best.what end
   best.tried = tried
   return best
end

-- ---- trying ----

-- Those that failed in the last minute come last.
local function ordered(list)
   local first, last = {}, {}
   for i = 1, #list do
      local group = memory.is_unreached(list[i]) and last or first
      group[#group + 1] = list[i]
   end
   for i = 1, #last do first[#first + 1] = last[i] end
   return first
end

-- -> a conversation that has got past EHLO, or one that ended for another reason than its host
--   | nil, err
local function try(server, deadline, fresh)
   local conversation, err = opening.open(server, deadline, fresh)
   if conversation then conversation, err = opening.settle(conversation, deadline) end
   if not conversation then return nil, err end
   local trouble = findings.trouble(conversation)
   if not trouble or not is_of_host(trouble, server) then return conversation end
   conversation:close()
   return nil, findings.error(conversation, trouble)
end

--- What `fn` returns for the first server of the list that has no trouble of its own.
---@param server smtp.Server   with a list of hosts or without
---@param deadline number      core.now() at which no further one is tried
---@param fn fun(server): any, smtp.Error?   returns nil and an error
---@return any|nil
---@return smtp.Error|nil err
---@return string[]|nil tried  what happened at those before, in words
function hosts.first(server, deadline, fn)
   if not server.hosts then return fn(server) end
   local failures, tried = {}, nil
   for _, each in ipairs(ordered(server.hosts)) do
      memory.try_unreached(each)
      local result, err = fn(each)
      if result then
         memory.note_reached(each)
         return result, nil, tried
      end
      if not is_of_host(err, each) then
         err.tried = tried
         return nil, err
      end
      memory.note_unreached(each)
      failures[#failures + 1], tried = err, tried or {}
      tried[#tried + 1] = described(err)
      if core.now() >= deadline then break end
   end
   return nil, error_of(failures, tried)
end

--- A conversation with the first of several hosts that greets: see opening.open.
---@param server smtp.Server   with a list of hosts
---@param deadline number    core.now() at which all must be over
---@param fresh? boolean     take no connection that was kept
---@return smtp.Conversation|nil
---@return smtp.Error|nil err
function hosts.open(server, deadline, fresh)
   local conversation, err, tried = hosts.first(server, deadline, function(each)
      return try(each, deadline, fresh)
   end)
   if conversation then conversation.tried = tried end
   return conversation, err
end

return hosts

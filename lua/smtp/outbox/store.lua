--- The interface of a store: where an outbox keeps its messages. smtp.outbox.sqlite is one, and
-- smtp.outbox.redis another; objects of the caller's with these methods are more.
--
-- Every method returns nil and an error of this library where the store failed: its kind is
-- "system", and `retry` is "later" where another attempt may succeed. A method that raises, or
-- returns something else, has failed as well: `store.guard` makes an error of that. `outbox` is the
-- name of an outbox: no method sees the messages of another one. Times are seconds since 1970; the
-- caller gives them, so that a store has no clock.
--
-- What a method changes is durable when it returns, except for `claim`, `renew` and `expire`: a
-- power loss that forgets these leaves the state before them, from which nothing is sent twice.
--
-- A record is a table. The caller writes and reads its values; only the store needs `number`.
--
--     number      the store's key of the message
--     id          the caller's key: unique in an outbox
--     state       "queued", "claimed", "ending", "doubt", "sent", "failed" or "cancelled"
--     due         queued: when to send it; claimed, ending: when the lease ends; otherwise since
--                 when the message has this state
--     claim       the number of the newest claim or change: a large random number
--     created     when it was put
--     since       the time from which the age of the message counts
--     attempts    how many attempts there were
--     size        bytes of the message
--     facts       bytes: what smtp.outbox.entry keeps about the message
--     recipients  bytes: what became of each recipient
--     addresses   "\n" .. the addresses in lower case, each followed by "\n"
--     ending      bytes: what marks have appended
--     history     bytes: what finish and change have appended
--     body        the bytes of a message of up to 64 KiB; nil: read them with `read`
--
-- @module smtp.outbox.store

local check = require "smtp.options.check"
local errors = require "smtp.errors"
local user_call = require "smtp.options.user_call"

local store = {}

--- The methods of a store, and what each returns.
--
--     put(outbox, record, pieces)   true if the message is new, false if there is one with this id.
--                                   `pieces`: nil, or a function that returns the next piece of
--                                   a body that is over 64 KiB, nil at the end, or false and an
--                                   error, which put returns
--     claim(outbox, now, lease, claim, limit, before)
--                                   the records of up to `limit` messages that are queued and due,
--                                   the oldest first. They are now claimed by the number `claim`
--                                   until `lease`. `before`: only those whose `since` is not after
--                                   this time
--     renew(outbox, numbers, claims, lease)   the claims end later; a claim that is gone is ignored
--     commit(outbox, results, marks)   in one step: first each of `results`, a record with the
--                                   fields state, due, recipients, attempts, history (bytes to
--                                   append), new_claim; it counts if `number` and `claim` are those
--                                   of the message, `from` is nil or its state, and `lease` is nil
--                                   or its `due`. A result with `lease`, which has `from` as well,
--                                   is for a message whose lease has ended: its runner may have
--                                   renewed it meanwhile, and a store without `lease` takes the
--                                   message from that runner. Then each of
--                                   `marks`: { number =, claim =, bytes = }: the message becomes
--                                   "ending" if it is claimed by this claim; there is at least one
--                                   byte. A store may store many results in several steps: the
--                                   marks belong to the last one, and a failure in between leaves
--                                   results that count once when they are given again. Returns two
--                                   lists of true or false: which results counted, which marks
--     expire(outbox, now, limit)    claimed messages whose lease has ended are queued again;
--                                   returns records of up to `limit` messages that are "ending" and
--                                   whose lease has ended. Those are not changed
--     due_at(outbox)                when the next message is due or the next lease ends; nil: none
--     read(number, at)              the piece of a body with this number (1 is the first); nil at
--                                   the end
--     get(outbox, id)               the record without body | nil without an error: there is none
--     list(outbox, filter)          records without body, in the order in which they were put:
--                                   filter = { state =, address = in lower case, limit =, after = a
--                                   number, before = a time }. `before`, with the states "claimed"
--                                   and "ending" only: those whose lease ends before this time. A
--                                   store may return the others as well, which takes longer
--     count(outbox)                 { [state] = how many }, and the time at which the first queued
--                                   message is or was due, or nil
--     note(outbox)                  bytes that set_note has kept, or ""
--     set_note(outbox, old, new)    true if the bytes were `old`, and are `new` now; else false
--     purge(outbox, before)         removes some of the messages that have been sent, failed or
--                                   cancelled since before this time; returns how many, 0 at last
--     close()
--
store.methods = { "put", "claim", "renew", "commit", "expire", "due_at", "read", "get", "list",
   "count", "note", "set_note", "purge", "close" }

--- Check that a value is a store. Raises a UsageError.
---@param value table|userdata   the option `store`
function store.check(value)
   for i = 1, #store.methods do
      local name = store.methods[i]
      local ok, method = pcall(function() return value[name] end)
      if not ok or method == nil then
         check.refuse_value("store", "a path or a store, which has a method " .. name, value,
            'Write store = "/var/lib/app/mail.db"')
      end
   end
end

-- ---- a store of the caller's ----

-- What a method returns, where that is used; the second ones may return nil as well.
local kinds = { put = "boolean", claim = "table", commit = "table", expire = "table",
   list = "table", count = "table", note = "string", set_note = "boolean", purge = "number" }
local kinds_or_nil = { due_at = "number", read = "string", get = "table" }

local function fault(name, what, cause)
   return nil, errors.new("system", { reason = "store", retry = "later", cause = cause,
      what = ("the method %s of the store %s"):format(name, what),
      hint = "smtp/outbox/store.lua describes what it returns" })
end

-- Of which kind the values of a record are without which nothing can be done with it; and those in
-- whose place nothing is read, as where they are damaged.
local needed = { id = "string", state = "string", claim = "number" }
local texts = { "facts", "recipients", "addresses", "ending", "history" }
local numbers = { "due", "created", "since", "attempts", "size" }

-- -> is it a record? It has all values then.
local function complete(record)
   if type(record) ~= "table" or record.number == nil then return false end
   for field, kind in next, needed do
      if type(record[field]) ~= kind then return false end
   end
   for i = 1, #texts do
      if type(record[texts[i]]) ~= "string" then record[texts[i]] = "" end
      if type(record[numbers[i]]) ~= "number" then record[numbers[i]] = 0 end
   end
   if type(record.body) ~= "string" then record.body = nil end
   return true
end

local has_records = { claim = true, expire = true, list = true }

-- Are those of what a method returned, if it returned any, records? This may raise.
local function are_records(name, result)
   if type(result) ~= "table" then return true end
   if name == "get" then return complete(result) end
   for i = 1, has_records[name] and #result or 0 do
      if not complete(result[i]) then return false end
   end
   return true
end

local function answer(name, ok, result, more, has_right_records)
   if not ok then return fault(name, "raised an error: " .. user_call.text(result), result) end
   if result == nil and more ~= nil then
      if errors.is(more) then return nil, more end
      return fault(name, "failed: " .. user_call.text(more), more)
   end
   local kind = kinds[name] or result ~= nil and kinds_or_nil[name]
   if kind and type(result) ~= kind then
      return fault(name, "returned " .. user_call.type_name(result))
   elseif name == "commit" and type(more) ~= "table" then
      return fault(name, "returned one list, not two")
   elseif not has_right_records then
      return fault(name, "returned what is not a record")
   end
   return result, more
end

--- The same store, whose methods return nil and an error of this library where they fail: also
-- where they raise, or return what no method of a store returns.
---@param value table|userdata   from store.check
---@return table
function store.guard(value)
   local guarded = {}
   for i = 1, #store.methods do
      local name = store.methods[i]
      local function run(...)
         local result, more = value[name](value, ...)
         return result, more, are_records(name, result)
      end
      guarded[name] = function(_, ...) return answer(name, user_call.call(run, ...)) end
   end
   return guarded
end

--- Take the next pieces of a body that put was given.
---@param pieces function   see put
---@param max integer       how many at once
---@return string[]|nil list
---@return boolean|table    whether there may be more; an error
function store.take_pieces(pieces, max)
   local list = {}
   while #list < max do
      local piece, err = pieces()
      if piece == false then return nil, err end
      if not piece then return list, false end
      list[#list + 1] = piece
   end
   return list, true
end

return store

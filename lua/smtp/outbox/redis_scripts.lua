--- The Redis store: the scripts that the Redis server runs. Each one is a whole step: it happens or
-- it does not. Each may run twice, because its reply may be lost with the connection: the second
-- run returns what the first one returned, and writes what is there already, because WAIT waits
-- only for what its own connection has written.
--
-- KEYS are those of smtp.outbox.redis_keys: eleven of the outbox, and after them those of the
-- messages that a script is about. No script makes a key, so that they run on a Redis Cluster.
-- @module smtp.outbox.redis_scripts

local scripts = {}

-- A message is a member of one set, that of its state, and its score is `due`. While it is queued,
-- claimed or ending, it is in `ages` as well, by `since`. `ids` has the number of each id.
local BEGIN = [[
local ids, ages, note = KEYS[1], KEYS[2], KEYS[3]
local sets = { queued = KEYS[4], claimed = KEYS[5], ending = KEYS[6], doubt = KEYS[7],
   sent = KEYS[8], failed = KEYS[9], cancelled = KEYS[10], arriving = KEYS[11] }
local call = redis.call

local function move(key, number, from, to, due)
   call('ZADD', sets[to], due, number)
   if from ~= to then call('ZREM', sets[from], number) end
   call('HSET', key, 'state', to, 'due', due)
end

local function again(key, field, value) -- done already
   call('HSET', key, field, value)
   return 1
end
]]

-- ---- putting ----

-- KEYS: the message, its body; if `old` is not "": the one that it takes the place of, its body.
-- -> 1; 0: there is one with this id; 2: the number has been used; or the number of one with this
-- id of which only a part has arrived, to be given as `old`.
scripts.put = BEGIN .. [[
local number, put, id, old, state, due, since, created, size, facts, recipients, addresses,
   body = unpack(ARGV)
local at = call('ZSCORE', ids, id)
local former = at and ('%016.0f'):format(at) or ''
local is_own = former == number and call('HGET', KEYS[12], 'put') == put
if is_own then return again(KEYS[12], 'put', put) end
if at and not call('ZSCORE', sets.arriving, former) then
   call('ZADD', ids, 0, id) -- the same score alone is not written
   call('ZADD', ids, at, id)
   return 0
end
if former ~= old then return former ~= '' and former or 2 end
if call('EXISTS', KEYS[12]) == 1 then return 2 end
call('HSET', KEYS[12], 'put', put, 'id', id, 'state', state, 'due', due, 'since', since,
   'number', ('%.0f'):format(number), 'claim', '0', 'created', created, 'attempts', '0',
   'size', size, 'facts', facts, 'recipients', recipients, 'addresses', addresses, 'ending', '',
   'history', '', body and 'body' or 'is_long', body or '1')
call('ZADD', sets[state], due, number)
call('ZADD', ids, ('%.0f'):format(number), id)
if state == 'queued' then call('ZADD', ages, since, number) end
if former ~= '' then
   call('ZREM', sets.arriving, former)
   call('UNLINK', KEYS[14], KEYS[15])
end
return 1
]]

-- KEYS: the message, its body. -> 1; 0: another process has put it anew
scripts.add_pieces = BEGIN .. [[
if call('HGET', KEYS[12], 'put') ~= ARGV[1] then return 0 end
for i = 3, #ARGV do call('HSET', KEYS[13], ARGV[2] + i - 3, ARGV[i]) end
return 1
]]

-- KEYS: the message. -> 1; 0: another process has put it anew
scripts.finish_pieces = BEGIN .. [[
local number, put, due = unpack(ARGV)
local own, state, since = unpack(call('HMGET', KEYS[12], 'put', 'state', 'since'))
if own ~= put then return 0 end
if state ~= 'arriving' then return again(KEYS[12], 'put', put) end
move(KEYS[12], number, 'arriving', 'queued', due)
call('ZADD', ages, since, number)
return 1
]]

-- KEYS: messages, each followed by its body. Those are removed that are over, `due` before this
-- time, and put by `put`; "": by any process.
scripts.remove = BEGIN .. [[
local put, before = ARGV[1], tonumber(ARGV[2])
local over = { sent = true, failed = true, cancelled = true, arriving = true }
for i = 3, #ARGV do
   local number, key, body = ARGV[i], KEYS[2 * i + 6], KEYS[2 * i + 7]
   local id, state, due, own = unpack(call('HMGET', key, 'id', 'state', 'due', 'put'))
   if over[state] and tonumber(due) < before and (put == '' or put == own) then
      call('ZREM', sets[state], number)
      call('ZREM', ages, number)
      if tonumber(call('ZSCORE', ids, id)) == tonumber(number) then call('ZREM', ids, id) end
      call('UNLINK', key, body)
   elseif not state then -- Redis lost the message
      for set = 8, 11 do call('ZREM', KEYS[set], number) end
   end
end
return 1
]]

-- ---- which messages ----

-- Messages that are due; with `before`, those that are old enough. They may be gone when `claim`
-- runs, which needs their keys.
scripts.find_due = BEGIN .. [[
local now, limit, before = ARGV[1], tonumber(ARGV[2]), ARGV[3]
if before == '' then return call('ZRANGEBYSCORE', sets.queued, '-inf', now, 'LIMIT', 0, limit) end
local list = {}
for _, number in ipairs(call('ZRANGEBYSCORE', ages, '-inf', before, 'LIMIT', 0, 1000)) do
   local due = #list < limit and call('ZSCORE', sets.queued, number)
   if due and tonumber(due) <= tonumber(now) then list[#list + 1] = number end
end
return list
]]

-- Messages of a state whose `due` is before this time.
scripts.find_before = BEGIN .. [[
local state, before, limit = unpack(ARGV)
return call('ZRANGEBYSCORE', sets[state], '-inf', '(' .. before, 'LIMIT', 0, limit)
]]

-- The number of the message with this id, or "".
scripts.find_id = BEGIN .. [[
local number = call('ZSCORE', ids, ARGV[1])
if not number or call('ZSCORE', sets.arriving, ('%016.0f'):format(number)) then return '' end
return number
]]

-- Of the next messages after this number, those in this state; "": in any. First where to go on, ""
-- after the last one.
scripts.find_next = BEGIN .. [[
local after, count, limit, state = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local page = call('ZRANGEBYSCORE', ids, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, count)
local list = { #page == 2 * count and page[#page] or '' }
for i = 2, #page, 2 do
   local number = ('%016.0f'):format(page[i])
   local is_one = state == '' and not call('ZSCORE', sets.arriving, number)
      or state ~= '' and call('ZSCORE', sets[state], number)
   if is_one then list[#list + 1] = number end
   if #list > limit then
      if i < #page then list[1] = page[i] end
      return list
   end
end
return list
]]

-- How many messages each state has, and the first `due` of queued, claimed and ending ones, or "".
scripts.count = BEGIN .. [[
local list = {}
for i = 4, 10 do list[#list + 1] = call('ZCARD', KEYS[i]) end
for i = 4, 6 do list[#list + 1] = call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')[2] or '' end
return list
]]

-- ---- records ----

local RECORD = BEGIN .. [[
local function record(key, ...)
   local values = call('HMGET', key, 'number', 'id', 'state', 'due', 'claim', 'created', 'since',
      'attempts', 'size', 'facts', 'recipients', 'addresses', 'ending', 'history', 'is_long', ...)
   for i = 1, #values do values[i] = values[i] or '' end
   return values
end
]]

-- KEYS: messages. -> their records without bodies
scripts.get = RECORD .. [[
local list = {}
for i = 12, #KEYS do list[#list + 1] = record(KEYS[i]) end
return list
]]

-- KEYS: messages. -> the records of those that are claimed now
scripts.claim = RECORD .. [[
local now, lease, claim, list = tonumber(ARGV[1]), ARGV[2], ARGV[3], {}
for i = 4, #ARGV do
   local key = KEYS[8 + i]
   local state, due, owner = unpack(call('HMGET', key, 'state', 'due', 'claim'))
   local is_own = state == 'claimed' and owner == claim
   if state == 'queued' and tonumber(due) <= now then
      move(key, ARGV[i], 'queued', 'claimed', lease)
      call('HSET', key, 'claim', claim, 'ending', '')
      is_own = true
   elseif state ~= 'queued' then -- claimed by another runner meanwhile; or Redis lost the message
      call('ZREM', sets.queued, ARGV[i])
   end
   if is_own then list[#list + 1] = record(key, 'body') end
end
return list
]]

-- KEYS: the body. -> a piece, or ""
scripts.read = [[return redis.call('HGET', KEYS[1], ARGV[1]) or '']]

-- ---- claims ----

-- KEYS: messages. ARGV: lease; number, claim of each.
scripts.renew = BEGIN .. [[
for i = 12, #KEYS do
   local number, claim = ARGV[2 * i - 22], ARGV[2 * i - 21]
   local state, owner = unpack(call('HMGET', KEYS[i], 'state', 'claim'))
   if owner == claim and (state == 'claimed' or state == 'ending') then
      move(KEYS[i], number, state, state, ARGV[1])
   end
end
return 1
]]

-- KEYS: messages. ARGV: now; their numbers.
scripts.requeue = BEGIN .. [[
for i = 12, #KEYS do
   local state, due = unpack(call('HMGET', KEYS[i], 'state', 'due'))
   if state == 'claimed' and tonumber(due) < tonumber(ARGV[1]) then
      move(KEYS[i], ARGV[i - 10], state, 'queued', due)
      call('HSET', KEYS[i], 'claim', '0')
   elseif not state then -- Redis lost the message
      call('ZREM', sets.claimed, ARGV[i - 10])
   end
end
return 1
]]

-- ---- results and marks ----

-- KEYS: the messages of the results, then those of the marks. `step` is a random name of the
-- change: a message keeps that of its newest one. -> 1 or 0 for each
scripts.commit = BEGIN .. [[
local at, list = 1, {}
local function take(count)
   at = at + count
   return unpack(ARGV, at - count, at - 1)
end

local function settle(key)
   local number, claim, step, state, due, since, from, lease, recipients, attempts, history,
      new = take(12)
   local was, owner, newest, ends = unpack(call('HMGET', key, 'state', 'claim', 'step', 'due'))
   if newest == step then return again(key, 'step', step) end
   if owner ~= claim or was == 'arriving' or from ~= '' and from ~= was
      or lease ~= '' and lease ~= ends then return 0 end
   move(key, number, was, state, due)
   if since ~= '' then call('HSET', key, 'since', since) end
   if history ~= '' then history = (call('HGET', key, 'history') or '') .. history end
   call('HSET', key, 'recipients', recipients, 'attempts', attempts, 'ending', '', 'step', step,
      'claim', new ~= '' and new or claim)
   if history ~= '' then call('HSET', key, 'history', history) end
   if state == 'queued' then
      call('ZADD', ages, call('HGET', key, 'since'), number)
   else
      call('ZREM', ages, number)
   end
   return 1
end

local function mark(key)
   local number, claim, step, bytes = take(4)
   local state, due, owner, newest, ending = unpack(call('HMGET', key, 'state', 'due', 'claim',
      'step', 'ending'))
   if newest == step then return again(key, 'step', step) end
   if owner ~= claim or state ~= 'claimed' and state ~= 'ending' then return 0 end
   move(key, number, state, 'ending', due)
   call('HSET', key, 'ending', ending .. bytes, 'step', step)
   return 1
end

local last = take(1) + 11 -- key of a result
for i = 12, #KEYS do list[#list + 1] = i <= last and settle(KEYS[i]) or mark(KEYS[i]) end
return list
]]

-- KEYS: messages. ARGV: number, step and bytes of each: the mark that this step made is undone,
-- because no end was sent after it.
scripts.unmark = BEGIN .. [[
for i = 12, #KEYS do
   local number, step, bytes = unpack(ARGV, 3 * i - 35, 3 * i - 33)
   local state, due, newest, ending = unpack(call('HMGET', KEYS[i], 'state', 'due', 'step',
      'ending'))
   if newest == step and state == 'ending' then
      ending = ending:sub(1, -#bytes - 1)
      if ending == '' then move(KEYS[i], number, state, 'claimed', due) end
      call('HSET', KEYS[i], 'ending', ending, 'step', '')
   end
end
return 1
]]

-- ---- notes ----

-- A note begins with the random name of its newest change: 16 bytes.
scripts.note = BEGIN .. [[return (call('GET', note) or ''):sub(17)]]

scripts.set_note = BEGIN .. [[
local step, old, new = unpack(ARGV)
local now = call('GET', note) or ''
if now:sub(1, 16) == step then return 1 end
if now:sub(17) ~= old then return 0 end
call('SET', note, step .. new)
return 1
]]

return scripts

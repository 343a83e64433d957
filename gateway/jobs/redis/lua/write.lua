-- Extends a lease or ends it, with results.
-- ARGV: now, id, fence, ttl, state ('' prolongs), run_at, burn, problem, op, then index and entry of each result
local id, state, op = ARGV[2], ARGV[5], ARGV[9]
local j = load(id)
if j and state ~= '' and j.op == op then return {'ok', 0} end -- this call's own, whose answer was lost
if not j or j.state ~= 'running' or j.fence ~= tonumber(ARGV[3]) then return {'lost'} end
for i = 10, #ARGV, 2 do
  if tonumber(ARGV[i]) >= j.total then return {'invalid'} end
end
local leased = redis.call('ZREM', ns .. 'leased', id) == 1 -- the first write is one that Redis allows at its maxmemory: see grow
local done, bad = 0, 0
for i = 10, #ARGV, 2 do
  if redis.call('SETBIT', key('d', id), ARGV[i], 1) == 0 then
    local place = redis.call('RPUSH', key('r', id), ARGV[i + 1]) - 1
    done = done + 1
    if ARGV[i + 1]:byte() == 33 then -- '!'
      bad = bad + 1
      redis.call('RPUSH', key('w', id), place .. ':' .. ARGV[i]) -- where it is, for a retry
    end
  end
end
if not leased then unqueue(id, j) end -- the lease had ended, and nobody has taken the job yet
if state == '' then
  redis.call('ZADD', ns .. 'leased', now + tonumber(ARGV[4]), id)
  if done > 0 then redis.call('HSET', key('j', id), 'done', j.done + done, 'bad', j.bad + bad) end
  if done > 0 and j.crashes > 0 then redis.call('HSET', key('j', id), 'crashes', 0) end
  return {'ok', j.cancel and 1 or 0}
end
local set = {'op', op, 'done', j.done + done, 'bad', j.bad + bad}
local function put(name, value) set[#set + 1] = name; set[#set + 1] = value end
if done > 0 and j.crashes > 0 then put('crashes', 0) end
if ARGV[7] == '1' then put('attempt', j.attempt + 1) end
if ARGV[8] ~= '' or state == 'succeeded' then put('problem', ARGV[8]) end
if state ~= 'queued' then
  finish(id, j, state, unpack(set))
elseif j.cancel then
  finish(id, j, 'cancelled', unpack(set))
else
  if tonumber(ARGV[6]) > now then
    j.run_at = tonumber(ARGV[6])
    put('run_at', ARGV[6])
  end
  shift(id, j, 'queued', unpack(set))
  enqueue(id, j)
end
return {'ok', 0}

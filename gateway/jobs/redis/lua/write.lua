-- Extends a lease or ends it, with results.
-- ARGV: now, id, fence, ttl, state ('' prolongs), run_at, burn, problem, op, then index and entry of each result
local id, state, op = ARGV[2], ARGV[5], ARGV[9]
local j = load(id)
if j and state ~= '' and j.op == op then return {'ok', 0} end -- this call's own, whose answer was lost
if not j or j.state ~= 'running' or j.fence ~= tonumber(ARGV[3]) then return {'lost'} end
for i = 10, #ARGV, 2 do
  if tonumber(ARGV[i]) >= j.total then return {'invalid'} end
end
grow()
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
if done > 0 then redis.call('HSET', key('j', id), 'done', j.done + done, 'bad', j.bad + bad) end
if state == '' then
  if redis.call('ZADD', ns .. 'leased', now + tonumber(ARGV[4]), id) == 1 then -- the lease had ended
    redis.call('ZREM', ns .. 'q:' .. j.priority, id)
    redis.call('ZREM', ns .. 'ends', id)
  end
  return {'ok', j.cancel and 1 or 0}
end
redis.call('HSET', key('j', id), 'op', op)
if ARGV[7] == '1' then redis.call('HSET', key('j', id), 'attempt', j.attempt + 1) end
if ARGV[8] ~= '' then
  redis.call('HSET', key('j', id), 'problem', ARGV[8])
elseif state == 'succeeded' then
  redis.call('HDEL', key('j', id), 'problem')
end
if state ~= 'queued' then
  finish(id, j, state)
elseif j.cancel then
  finish(id, j, 'cancelled')
else
  local run_at = tonumber(ARGV[6])
  if run_at > now then
    redis.call('HSET', key('j', id), 'run_at', ARGV[6])
    j.run_at = run_at
  end
  enqueue(id, j)
end
return {'ok', 0}

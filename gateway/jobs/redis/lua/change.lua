-- ARGV: now, id, change, op
local id, change, op = ARGV[2], ARGV[3], ARGV[4]
local j = load(id)
if not j then return {redis.call('EXISTS', key('j', id)) == 0 and 'none' or 'unreadable'} end
if j.op == op then return {'ok', whole(id)} end -- this call's own, whose answer was lost
grow()
if change == 'cancel' then
  if final(j.state) then return {'conflict', j.state} end
  if j.state == 'queued' then finish(id, j, 'cancelled') end
  redis.call('HSET', key('j', id), 'cancel', 1)
elseif change == 'told' then
  if not final(j.state) then return {'conflict', j.state} end
  redis.call('HSET', key('j', id), 'told', 1)
  redis.call('ZREM', ns .. 'x:untold', id)
else
  if not final(j.state) or j.state == 'succeeded' then return {'conflict', j.state} end
  if j.bad > 0 then -- all places are marked first, since taking one out moves those behind it
    local list, size = key('w', id), 1000
    for first = 0, redis.call('LLEN', list) - 1, size do
      for _, entry in ipairs(redis.call('LRANGE', list, first, first + size - 1)) do
        local place, index = entry:match('^(%d+):(%d+)$')
        redis.call('LSET', key('r', id), place, '')
        redis.call('SETBIT', key('d', id), index, 0)
      end
    end
    redis.call('LREM', key('r', id), 0, '')
    redis.call('DEL', list)
  end
  redis.call('HSET', key('j', id), 'attempt', 0, 'crashes', 0, 'bad', 0, 'done', math.max(0, j.done - j.bad), 'cancel', 0,
    'told', j.hook and 0 or 1, 'run_at', now)
  redis.call('HDEL', key('j', id), 'problem', 'finished')
  j.run_at = now
  if j.deadline > 0 and j.deadline <= now then
    redis.call('HSET', key('j', id), 'deadline', 0)
    j.deadline = 0
  end
  redis.call('ZREM', ns .. 'old', id)
  redis.call('ZREM', ns .. 'x:untold', id)
  shift(id, j, 'queued')
  enqueue(id, j)
end
redis.call('HSET', key('j', id), 'op', op)
return {'ok', whole(id)}

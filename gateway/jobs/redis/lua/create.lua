-- ARGV: now, id, made, priority, run_at, deadline, ttl, tenant, model, total, spec, items, hook, key, the most jobs, whether blobs were held, digests of blobs
local id, made = ARGV[2], ARGV[3]
local before = redis.call('HGET', key('j', id), 'made')
if before == made then return {'ok'} end -- this call's own, whose answer was lost
if ARGV[14] ~= '' then
  local other = redis.call('GET', ns .. 'k:' .. ARGV[14])
  if other and redis.call('EXISTS', key('j', other)) == 1 then
    if ARGV[16] == '1' and redis.call('ZREM', ns .. 'held', id) == 1 then redis.call('ZADD', ns .. 'gone', now, id) end
    return {'exists', other, whole(other)}
  end
end
if before then return {'conflict'} end
local most = tonumber(ARGV[15])
if most > 0 and redis.call('ZCARD', ns .. 'x:all') >= most then return {'full'} end

local seq = redis.call('HINCRBY', ns .. 'n', 'seq', 1)
local j = {state = 'queued', priority = ARGV[4], run_at = tonumber(ARGV[5]), deadline = tonumber(ARGV[6]), seq = seq}
redis.call('HSET', key('j', id), 'made', made, 'state', 'queued', 'priority', ARGV[4], 'run_at', ARGV[5], 'deadline', ARGV[6], 'ttl', ARGV[7],
  'tenant', ARGV[8], 'model', ARGV[9], 'total', ARGV[10], 'spec', ARGV[11], 'items', ARGV[12], 'hook', ARGV[13], 'told', 1 - tonumber(ARGV[13]),
  'seq', seq)
redis.call('ZADD', ns .. 'x:all', seq, id)
redis.call('ZADD', ns .. 'x:t:' .. ARGV[8], seq, id)
redis.call('ZADD', ns .. 'x:m:' .. ARGV[9], seq, id)
redis.call('ZADD', state_list('queued', j.priority), seq, id)
if ARGV[14] ~= '' then
  redis.call('SET', ns .. 'k:' .. ARGV[14], id)
  redis.call('HSET', key('j', id), 'key', ARGV[14])
end
hold(id, 17)
if ARGV[16] == '1' then redis.call('ZREM', ns .. 'held', id) end
enqueue(id, j)
return {'ok'}

-- Creates a job, with blobs that come with it.
-- ARGV: now, id, made, priority, run_at, deadline, ttl, tenant, model, total, spec, items, hook, key, the most jobs, whether blobs were held, the most bytes,
-- how many blobs come, digest and bytes of each, then the digests of all blobs that the job needs
local id, made = ARGV[2], ARGV[3]
local before = redis.call('HGET', key('j', id), 'made')
if before == made then return {'ok', -1} end -- this call's own, whose answer was lost
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
local fresh, bytes, first = {}, 0, 19 + 2 * ARGV[18]
for i = 19, first - 1, 2 do
  if redis.call('EXISTS', key('blob', ARGV[i])) == 0 then
    fresh[#fresh + 1] = i
    bytes = bytes + #ARGV[i + 1]
  end
end
if bytes > 0 and tonumber(ARGV[17]) > 0 and num(redis.call('HGET', ns .. 'n', 'bytes')) + bytes > tonumber(ARGV[17]) then return {'large'} end

local seq = redis.call('HINCRBY', ns .. 'n', 'seq', 1)
for _, i in ipairs(fresh) do redis.call('SET', key('blob', ARGV[i]), ARGV[i + 1]) end
if bytes > 0 then redis.call('HINCRBY', ns .. 'n', 'bytes', bytes) end
for i = 19, first - 1, 2 do redis.call('HSET', ns .. 'put', ARGV[i], now) end
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
hold(id, first)
if ARGV[16] == '1' then redis.call('ZREM', ns .. 'held', id) end
enqueue(id, j)
return {'ok', place(j)}

-- ARGV: now, how long a blob that no job names is kept
-- Whatever is written first is one of the removals that Redis allows at its maxmemory: see grow.
local spare = now - tonumber(ARGV[2])
local more = tidy(200)

local list = redis.call('ZRANGEBYSCORE', ns .. 'old', '-inf', now, 'LIMIT', 0, 100)
more = more or #list == 100
for _, id in ipairs(list) do
  local j = load(id)
  redis.call('ZREM', ns .. 'old', id)
  redis.call('ZREM', ns .. 'x:all', id)
  redis.call('ZREM', ns .. 'x:untold', id)
  if j then
    redis.call('ZREM', ns .. 'x:t:' .. j.tenant, id)
    redis.call('ZREM', ns .. 'x:m:' .. j.model, id)
    redis.call('ZREM', state_list(j.state, j.priority), id)
    unqueue(id, j)
    if j.key ~= '' and redis.call('GET', ns .. 'k:' .. j.key) == id then redis.call('DEL', ns .. 'k:' .. j.key) end
  end
  redis.call('UNLINK', key('j', id), key('r', id), key('d', id), key('w', id))
  redis.call('ZADD', ns .. 'gone', now, id)
end

-- The blobs of jobs that were begun and never created.
list = redis.call('ZRANGEBYSCORE', ns .. 'held', '-inf', spare, 'LIMIT', 0, 10)
more = more or #list == 10
for _, id in ipairs(list) do
  redis.call('ZREM', ns .. 'held', id)
  if redis.call('EXISTS', key('j', id)) == 0 then redis.call('ZADD', ns .. 'gone', now, id) end
end

-- The blobs of jobs that are gone.
local left = 1000
for _, id in ipairs(redis.call('ZRANGE', ns .. 'gone', 0, 99)) do
  local digests = redis.call('SPOP', key('b', id), left)
  for _, digest in ipairs(digests) do
    if redis.call('HINCRBY', ns .. 'refs', digest, -1) < 1 then
      redis.call('HDEL', ns .. 'refs', digest)
      redis.call('ZADD', ns .. 'free', num(redis.call('HGET', ns .. 'put', digest)), digest)
    end
  end
  left = left - #digests
  if left == 0 then break end
  redis.call('ZREM', ns .. 'gone', id)
end
more = more or redis.call('EXISTS', ns .. 'gone') == 1

list = redis.call('ZRANGEBYSCORE', ns .. 'free', '-inf', spare, 'LIMIT', 0, 100)
more = more or #list == 100
for _, digest in ipairs(list) do
  redis.call('ZREM', ns .. 'free', digest)
  if redis.call('HEXISTS', ns .. 'refs', digest) == 0 then
    redis.call('HINCRBY', ns .. 'n', 'bytes', 0 - redis.call('STRLEN', key('blob', digest))) -- not -0
    redis.call('UNLINK', key('blob', digest))
    redis.call('HDEL', ns .. 'put', digest)
  end
end
return {'ok', more and 1 or 0}

-- Stores a blob, or without its bytes tells whether they are needed.
-- ARGV: now, digest, the most bytes, size, bytes
local digest, most, size = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local function noted() -- when it was last put, from which its time without a job counts
  redis.call('HSET', ns .. 'put', digest, now)
  if redis.call('HEXISTS', ns .. 'refs', digest) == 0 then redis.call('ZADD', ns .. 'free', now, digest) end
  return {'ok'}
end
if redis.call('EXISTS', key('blob', digest)) == 1 then return noted() end
if most > 0 and num(redis.call('HGET', ns .. 'n', 'bytes')) + size > most then return {'full'} end
if not ARGV[5] then return {'none'} end
redis.call('SET', key('blob', digest), ARGV[5])
redis.call('HINCRBY', ns .. 'n', 'bytes', size)
return noted()

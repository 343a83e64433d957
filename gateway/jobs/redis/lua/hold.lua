-- Notes some of the blobs of a job with very many, before the job is created.
-- ARGV: now, id, digests of blobs
redis.call('ZADD', ns .. 'held', now, ARGV[2])
hold(ARGV[2], 3)
return {'ok'}

-- ARGV: now, id, from, how many
if redis.call('EXISTS', key('j', ARGV[2])) == 0 then return {'none'} end
local n = tonumber(ARGV[4])
if n == 0 then return {'ok', {}} end
return {'ok', redis.call('LRANGE', key('r', ARGV[2]), ARGV[3], ARGV[3] + n - 1)}

-- ARGV: now, id, whether its items are wanted
local id = ARGV[2]
local before, j = -1, load(id)
if not j and redis.call('EXISTS', key('j', id)) == 0 then return {'none'} end
if j and j.state == 'queued' then before = place(j) end
return {'ok', before, ARGV[3] == '1' and whole(id) or bare(id)}

-- ARGV: now, id, whether its items are wanted
local id = ARGV[2]
local place, j = -1, load(id)
if not j and redis.call('EXISTS', key('j', id)) == 0 then return {'none'} end
if j and j.state == 'queued' then
  place = 0
  for class, l in pairs(lead) do
    local max = j.run_at - lead[j.priority] + l
    max = max > now and string.format('%.0f', now) or string.format('(%.0f', max)
    place = place + redis.call('ZCOUNT', ns .. 'q:' .. class, '-inf', max)
  end
end
return {'ok', place, ARGV[3] == '1' and whole(id) or bare(id)}

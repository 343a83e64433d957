-- ARGV: now
local oldest = {}
for class in pairs(lead) do
  local head = redis.call('ZRANGEBYSCORE', ns .. 'q:' .. class, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 100)
  for i = 1, #head, 2 do
    local j = load(head[i])
    if j and j.state == 'queued' then
      oldest[#oldest + 1] = {class, tonumber(head[i + 1])}
      break
    end
  end
end
return {'ok', redis.call('HGETALL', ns .. 'n'), oldest}

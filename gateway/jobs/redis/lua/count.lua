-- ARGV: now, states
local oldest, figures = {}, {}
for class in pairs(lead) do
  for i = 2, #ARGV do figures[#figures + 1] = {class, ARGV[i], redis.call('ZCARD', state_list(ARGV[i], class))} end
  local head = redis.call('ZRANGEBYSCORE', ns .. 'q:' .. class, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 100)
  for i = 1, #head, 2 do
    local j = load(head[i])
    if j and j.state == 'queued' then
      oldest[#oldest + 1] = {class, tonumber(head[i + 1])}
      break
    end
  end
end
return {'ok', figures, oldest, num(redis.call('HGET', ns .. 'n', 'bytes'))}

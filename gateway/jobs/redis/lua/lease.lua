-- ARGV: now, n, ttl
local n, ttl, list, bytes = tonumber(ARGV[2]), tonumber(ARGV[3]), {'ok'}, 0
local function enough() return #list > n or bytes > 16777216 end -- jobs of very many items are given few at a time
tidy(200)
for _ = 1, 4 do -- what is found to be over makes room for a next round
  local due = {}
  for class, l in pairs(lead) do
    local head = redis.call('ZRANGEBYSCORE', ns .. 'q:' .. class, '-inf', now, 'WITHSCORES', 'LIMIT', 0, n)
    for i = 1, #head, 2 do due[#due + 1] = {id = head[i], class = class, place = tonumber(head[i + 1]) - l} end
  end
  table.sort(due, function(a, b)
    if a.place ~= b.place then return a.place < b.place end
    return a.id < b.id
  end)
  for _, d in ipairs(due) do
    if enough() then break end
    local id, j = d.id, load(d.id)
    redis.call('ZREM', ns .. 'q:' .. d.class, id)
    if j and not final(j.state) then
      if j.cancel then finish(id, j, 'cancelled')
      elseif j.deadline > 0 and j.deadline <= now then finish(id, j, 'expired')
      else
        if j.deadline > 0 then redis.call('ZREM', ns .. 'ends', id) end
        redis.call('ZADD', ns .. 'leased', now + ttl, id)
        if j.state == 'running' then redis.call('HSET', key('j', id), 'crashes', j.crashes + 1) end -- its worker has not come back
        shift(id, j, 'running', 'fence', j.fence + 1, 'started', j.started > 0 and j.started or now)
        local job = whole(id)
        bytes = bytes + #(job[#job] or '')
        list[#list + 1] = {id, job}
      end
    end
  end
  if enough() or #due == 0 then break end
end
return list

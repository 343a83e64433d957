-- Looks at a bounded number of jobs of the shortest list that holds all that are asked for, newest first.
-- ARGV: now, cursor ('' begins), how many are wanted, how many are looked at, untold, by tenant, tenant, model, priority, states
local want, looks = tonumber(ARGV[3]), tonumber(ARGV[4])
local untold, by_tenant, tenant, model, priority = ARGV[5] == '1', ARGV[6] == '1', ARGV[7], ARGV[8], ARGV[9]
local states, some, lists, shortest = {}, false, nil, nil
local function consider(names)
  local n = 0
  for _, name in ipairs(names) do n = n + redis.call('ZCARD', name) end
  if not shortest or n < shortest then lists, shortest = names, n end
end
consider({ns .. 'x:all'})
if untold then consider({ns .. 'x:untold'}) end
if by_tenant then consider({ns .. 'x:t:' .. tenant}) end
if model ~= '' then consider({ns .. 'x:m:' .. model}) end
local of_states = {}
for i = 10, #ARGV do
  some = true
  if not states[ARGV[i]] then of_states[#of_states + 1] = ns .. 'x:s:' .. ARGV[i] end
  states[ARGV[i]] = true
end
if some then consider(of_states) end

local max, seen, ended = ARGV[2] == '' and '+inf' or '(' .. ARGV[2], {}, 1
for _, name in ipairs(lists) do
  local part = redis.call('ZREVRANGEBYSCORE', name, max, '-inf', 'WITHSCORES', 'LIMIT', 0, looks)
  for i = 1, #part, 2 do seen[#seen + 1] = {id = part[i], seq = tonumber(part[i + 1])} end
  if #part == 2 * looks then ended = 0 end
end
if #seen > looks then ended = 0 end
table.sort(seen, function(a, b) return a.seq > b.seq end)

local last, found = 0, {}
for i = 1, math.min(#seen, looks) do
  local id, j = seen[i].id, load(seen[i].id)
  last = seen[i].seq
  if j and (not by_tenant or j.tenant == tenant) and (model == '' or j.model == model) and (priority == '' or j.priority == priority)
    and (not some or states[j.state]) and (not untold or final(j.state) and not j.told) then
    found[#found + 1] = {id, redis.call('HMGET', key('j', id), unpack(fields))}
    if #found == want then
      ended = 0
      break
    end
  end
end
return {'ok', last, ended, found}

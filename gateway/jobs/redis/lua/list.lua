-- Looks at a bounded number of jobs of the shortest list that holds all that are asked for, newest first.
-- ARGV: now, cursor ('' begins), how many are wanted, how many are looked at, untold, by tenant, tenant, model, priority,
-- '1' where states or priority are asked for, states
local want, looks = tonumber(ARGV[3]), tonumber(ARGV[4])
local untold, by_tenant, tenant, model, priority = ARGV[5] == '1', ARGV[6] == '1', ARGV[7], ARGV[8], ARGV[9]
local some, states, filters, lists, shortest = ARGV[10] ~= '', {}, -1, nil, nil
local function consider(names)
  filters = filters + 1
  local n = 0
  for _, name in ipairs(names) do n = n + redis.call('ZCARD', name) end
  if not shortest or n < shortest then lists, shortest = names, n end
end
consider({ns .. 'x:all'})
if untold then consider({ns .. 'x:untold'}) end
if by_tenant then consider({ns .. 'x:t:' .. tenant}) end
if model ~= '' then consider({ns .. 'x:m:' .. model}) end
for i = 11, #ARGV do states[#states + 1] = ARGV[i] end
if some then
  local of_states = {}
  for class in pairs(lead) do
    if priority == '' or priority == class then
      for _, state in ipairs(states) do of_states[#of_states + 1] = state_list(state, class) end
    end
  end
  consider(of_states)
end
local exact = filters < 2 -- then all in the shortest list are asked for: it is the filter's own, or one as long
if exact then looks = math.min(looks, want) end

local max, seen, ended = ARGV[2] == '' and '+inf' or '(' .. ARGV[2], {}, 1
for _, name in ipairs(lists) do
  local part = redis.call('ZREVRANGEBYSCORE', name, max, '-inf', 'WITHSCORES', 'LIMIT', 0, looks)
  for i = 1, #part, 2 do seen[#seen + 1] = {id = part[i], seq = tonumber(part[i + 1])} end
  if #part == 2 * looks then ended = 0 end
end
if #seen > looks then ended = 0 end
if #lists > 1 then table.sort(seen, function(a, b) return a.seq > b.seq end) end

local asked = {}
for _, state in ipairs(states) do asked[state] = true end
local function fits(j)
  return j and (not by_tenant or j.tenant == tenant) and (model == '' or j.model == model) and (priority == '' or j.priority == priority)
    and (not some or asked[j.state]) and (not untold or final(j.state) and not j.told)
end

local last, found = 0, {}
for i = 1, math.min(#seen, looks) do
  local id = seen[i].id
  last = seen[i].seq
  if exact or fits(load(id)) then
    found[#found + 1] = {id, bare(id)}
    if #found == want then
      ended = 0
      break
    end
  end
end
return {'ok', last, ended, found}

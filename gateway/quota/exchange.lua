-- One exchange of a gateway with a caller's shared buckets, atomic and by Redis's own clock.
-- KEYS[1] is a hash with a field for each limit: what the bucket holds, and when it was so: microseconds, or the day for a day's budget. What is not there is full.
-- ARGV has for each limit: name, quota, units that come in a microsecond (0: a day's budget), what was used without asking, what is wanted.
-- Gives for each limit what was granted, and what the bucket then holds.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local day = math.floor(tonumber(time[1]) / 86400)
local midnight = (day + 1) * 86400000 - math.floor(now / 1000)
local names = {}
for i = 1, #ARGV, 5 do names[#names + 1] = ARGV[i] end
local had = redis.pcall('HMGET', KEYS[1], unpack(names))
if had.err then -- something else lies there
  redis.call('DEL', KEYS[1])
  had = {}
end
local out, set, del, life = {}, {}, {}, 0
for i = 1, #names do
  local quota, rate = tonumber(ARGV[5 * i - 3]), tonumber(ARGV[5 * i - 2])
  local used, want = tonumber(ARGV[5 * i - 1]), tonumber(ARGV[5 * i])
  local level = quota
  if had[i] then
    local text, at = string.match(had[i], '^(%S+) (%d+)$')
    local held = tonumber(text or '')
    at = tonumber(at or '')
    if held and at and held == held then
      if rate > 0 then
        level = held + math.max(now - at, 0) * rate
      elseif at == day then
        level = held
      end
    end
  end
  level = math.min(level, quota) - used
  local granted = 0
  if want > 0 and level >= 1 then granted = math.floor(math.min(want, level)) end
  level = math.min(level - granted, quota)
  if level < quota then
    set[#set + 1] = names[i]
    if rate > 0 then
      set[#set + 1] = string.format('%.17g %.0f', level, now)
      life = math.max(life, (quota - level) / rate / 1000)
    else
      set[#set + 1] = string.format('%.17g %.0f', level, day)
      life = math.max(life, midnight)
    end
  else
    del[#del + 1] = names[i]
  end
  out[#out + 1] = string.format('%.17g', granted)
  out[#out + 1] = string.format('%.17g', level)
end
if #del > 0 then redis.call('HDEL', KEYS[1], unpack(del)) end
if #set > 0 then
  redis.call('HSET', KEYS[1], unpack(set))
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.min(life, 3456000000) + 1000))
end
return out

-- What all scripts share. Before this text the driver puts two tables: lead, the lead of each class in microseconds, and fields, the fields of a
-- job that a caller reads. KEYS[1] is what all names begin with; its hash tag keeps them on one node. Times are microseconds since 1970: numbers of
-- Lua hold them exactly. A number is never joined to a string, which would round it.
local ns, now = KEYS[1], tonumber(ARGV[1])
if now == 0 then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end

local function key(kind, id) return ns .. kind .. ':' .. id end

-- What is no number from 0 to 2^53 is 0: a damaged job must not stop the others.
local function num(v)
  local n = tonumber(v or 0)
  if not n or n ~= n or n < 0 or n > 9007199254740992 then return 0 end
  return n
end

-- load gives what scripts decide by, nil where there is no job that can be read.
local function load(id)
  local v = redis.pcall('HMGET', key('j', id), 'state', 'priority', 'run_at', 'deadline', 'seq', 'tenant', 'model', 'ttl', 'told', 'cancel',
    'fence', 'total', 'done', 'bad', 'op', 'key', 'hook', 'attempt', 'started', 'crashes')
  if v.err or not v[1] or not lead[v[2]] then return nil end
  return {
    state = v[1], priority = v[2], run_at = num(v[3]), deadline = num(v[4]), seq = num(v[5]), tenant = v[6] or '', model = v[7] or '', ttl = num(v[8]),
    told = v[9] == '1', cancel = v[10] == '1', fence = num(v[11]), total = num(v[12]), done = num(v[13]), bad = num(v[14]), op = v[15],
    key = v[16] or '', hook = v[17] == '1', attempt = num(v[18]), started = num(v[19]), crashes = num(v[20]),
  }
end

-- bare gives the fields of a job for a caller, and whole its items too, last.
local function bare(id) return redis.call('HMGET', key('j', id), unpack(fields)) end
local function whole(id)
  fields[#fields + 1] = 'items'
  local v = bare(id)
  fields[#fields] = nil
  return v
end

-- state_list is the list of the jobs of a state and class, which is their count too.
local function state_list(state, class) return ns .. 'x:s:' .. state .. ':' .. class end

local function final(state) return state ~= 'queued' and state ~= 'running' end

-- shift makes a job one of another state, and sets more of its fields.
local function shift(id, j, state, ...)
  if j.state ~= state then
    redis.call('ZREM', state_list(j.state, j.priority), id)
    redis.call('ZADD', state_list(state, j.priority), j.seq, id)
    j.state = state
  end
  redis.call('HSET', key('j', id), 'state', state, ...)
end

-- unqueue takes a job out of the leases, or else from where leases are taken. Its first write is one that Redis allows at its maxmemory: see grow.
local function unqueue(id, j)
  if redis.call('ZREM', ns .. 'leased', id) == 1 then return end
  redis.call('ZREM', ns .. 'q:' .. j.priority, id)
  if j.deadline > 0 then redis.call('ZREM', ns .. 'ends', id) end
end

local function finish(id, j, state, ...)
  unqueue(id, j)
  shift(id, j, state, 'finished', now, ...)
  redis.call('ZADD', ns .. 'old', now + j.ttl, id)
  if not j.told then redis.call('ZADD', ns .. 'x:untold', j.seq, id) end
end

-- wait puts a job where leases are taken from: one that is queued, or one that is running and whose lease has ended.
local function wait(id, j)
  redis.call('ZADD', ns .. 'q:' .. j.priority, j.run_at, id)
  if j.deadline > 0 then redis.call('ZADD', ns .. 'ends', j.deadline, id) end
end

-- enqueue puts a queued job where leases are taken from, and wakes who waits for one.
local function enqueue(id, j)
  wait(id, j)
  if j.run_at <= now then redis.call('XADD', ns .. 'wake', 'MAXLEN', '~', 64, '*', 'p', j.priority) end
end

-- place counts the due jobs before a queued one.
local function place(j)
  local n = 0
  for class, l in pairs(lead) do
    local max = j.run_at - lead[j.priority] + l
    max = max > now and string.format('%.0f', now) or string.format('(%.0f', max)
    n = n + redis.call('ZCOUNT', ns .. 'q:' .. class, '-inf', max)
  end
  return n
end

-- grow is the first write of what has to work when Redis is at its maxmemory, so that what was accepted can be ended: Redis refuses only a script's
-- first write, and DEL is none that it refuses; nor is ZREM.
local function grow() redis.call('DEL', ns .. 'none') end

-- hold notes that a job needs blobs. Noting twice is noting once. A blob in the list of free ones stays there: sweep looks at what is noted.
local function hold(id, from)
  for i = from, #ARGV do
    if redis.call('SADD', key('b', id), ARGV[i]) == 1 then
      redis.call('HINCRBY', ns .. 'refs', ARGV[i], 1)
    end
  end
end

-- tidy ends leases and jobs whose time is over, at most n of each. A job whose lease has ended stays running and keeps its fence until another
-- worker takes it: its worker may yet come back. Gives whether there is more.
local function tidy(n)
  local list = redis.call('ZRANGEBYSCORE', ns .. 'leased', '-inf', now, 'LIMIT', 0, n)
  local more = #list == n
  for _, id in ipairs(list) do
    redis.call('ZREM', ns .. 'leased', id)
    local j = load(id)
    if j and j.state == 'running' then
      if j.cancel then finish(id, j, 'cancelled') else wait(id, j) end
    end
  end
  list = redis.call('ZRANGEBYSCORE', ns .. 'ends', '-inf', now, 'LIMIT', 0, n)
  for _, id in ipairs(list) do
    redis.call('ZREM', ns .. 'ends', id)
    local j = load(id)
    if j and not final(j.state) then finish(id, j, 'expired') end
  end
  return more or #list == n
end

-- What every script begins with: the time, the names of the keys, and what
-- is told to others at the end.
--
-- KEYS[1] is "{aisle:<shard>}:meta". Every other key is built from its
-- prefix, so that all lie in one hash slot. ARGV[1] is the time in
-- milliseconds; empty, the server's clock counts.
local call = redis.call
local META = KEYS[1]
local P = string.sub(META, 1, -5)
local WEEK = 604800000

local DELAYED, LEASES, DEAD = P..'delayed', P..'leases', P..'dead'
local OPEN, EXPIRY, LANES = P..'open', P..'expiry', P..'lanes'
local MODELS, SEEN = P..'models', P..'seen'
local LOADS, DRAINED = P..'loads', P..'drained'
local ANSWERS = P..'answers'

local function job_key(job) return P..'job:'..job end
local function sources_key(job) return P..'src:'..job end
local function results_key(job) return P..'res:'..job end
local function tombstone_key(job) return P..'gone:'..job end
local function try_key(item) return P..'try:'..item end
local function blob_key(item) return P..'b:'..item end
local function ready_key(lane) return P..'ready:'..lane end
local function solo_key(lane) return P..'solo:'..lane end
local function tags_key(lane) return P..'tags:'..lane end
local function key_key(tenant, key) return P..'key:'..tenant..':'..key end
local function answer_key(key) return P..'answer:'..key end
local function serving_key(model) return P..'serving:'..model end
-- What enabled endpoints want: their ids, each with its events.
local function wants_key(tenant) return P..'wants:'..tenant end

-- While a cluster moves a slot, its keys lie on two nodes, and a script would
-- take those on the other for missing. Two keys that never exist are refused by
-- both nodes then (ASK and TRYAGAIN in the cluster specification), and so the
-- script ends here, before it has written anything.
call('EXISTS', P..'never', P..'nowhere')

local function num(text) return tonumber(text) or 0 end
-- Lua writes large numbers as 1.7e+12 when it joins them to a text.
local function int(number) return string.format('%d', number) end

local now
if ARGV[1] == '' then
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
else
  now = tonumber(ARGV[1])
end

-- A job id has 36 characters; a dot and the index follow.
local function split(item) return string.sub(item, 1, 36), string.sub(item, 38) end
local function lane_of(model, band) return model..':'..band end

-- The lists of a tenant's jobs sort by text: creation first, then the id.
local function index_key(tenant, status)
  return P..'ix:'..tenant..(status and ':'..status or '')
end
local function place_of(job, created) return string.format('%015d:%s', created, job) end
local function appear(tenant, job, created)
  local place = place_of(job, created)
  call('ZADD', index_key(tenant), 0, place)
  call('ZADD', index_key(tenant, 'queued'), 0, place)
end
local function move_index(tenant, job, created, from, to)
  local place = place_of(job, created)
  call('ZREM', index_key(tenant, from), place)
  call('ZADD', index_key(tenant, to), 0, place)
end

-- Noted while a script runs, told and booked once at its end. A touched job is
-- 'changed', or 'ended', which includes that it is gone.
local touched, arrived, ended, freed, eased = {}, {}, 0, 0, {}
local outgoing = false

-- Live items leave: so many of a tenant.
local function leave(tenant, items)
  tenant = tenant or ''
  ended = ended + items
  eased[tenant] = (eased[tenant] or 0) + items
end

-- The bytes of an upload, by its source.
local function bytes_of(source) return num(string.match(source, '^upload:(%d+)')) end

local function settle()
  if ended > 0 then
    call('HINCRBY', META, 'live', -ended)
    -- How many leave is counted by slots of ten seconds, six of which are of use.
    local slot = math.floor(now / 10000)
    if call('HINCRBY', DRAINED, int(slot), ended) == ended then
      for _, other in ipairs(call('HKEYS', DRAINED)) do
        if math.abs(slot - num(other)) >= 6 then call('HDEL', DRAINED, other) end
      end
    end
  end
  if freed > 0 then call('HINCRBY', META, 'bytes', int(-freed)) end
  for tenant, items in pairs(eased) do
    if items > 0 and call('HINCRBY', LOADS, tenant, -items) <= 0 then
      call('HDEL', LOADS, tenant)
    end
  end
  for job, how in pairs(touched) do
    call('PUBLISH', P..(how == 'ended' and 'jobs' or 'changes'), how..' '..job)
  end
  for model in pairs(arrived) do call('PUBLISH', P..'work', model) end
  if outgoing then call('PUBLISH', P..'deliveries', '') end
end

#!lua flags=allow-oom
-- Hands out ready items of one model.
-- ARGV: 2 worker, 3 model, 4 lease in ms, 5 outcome of a canceled item, 6 1 if
--       an item may come that is to be alone, 7 how many are wanted, at least
--       one, 8 this claim's ticket, which its tokens bear, then from 9 on
--       the tickets of claims whose answers were lost.
local worker, model, lease, canceled = ARGV[2], ARGV[3], num(ARGV[4]), ARGV[5]
local alone, wanted, ticket = ARGV[6] == '1', num(ARGV[7]), ARGV[8]
local claimed = {}

-- What a lost answer had handed out is held by nobody. It does not wait for
-- its leases to run out.
if #ARGV > 8 then
  local lost = {}
  for i = 9, #ARGV do lost[ARGV[i]] = true end
  for _, item in ipairs(call('ZRANGE', LEASES, 0, -1)) do
    local token = call('HGET', try_key(item), 'token')
    if token and lost[string.match(token, '%-(.*)%.')] then hand_back(item, canceled) end
  end
end
if call('HEXISTS', META, 'paused') == 1 then
  settle()
  return with_endings(claimed)
end

local due = call('ZRANGE', DELAYED, '-inf', now, 'BYSCORE', 'LIMIT', 0, 100)
for _, item in ipairs(due) do
  call('ZREM', DELAYED, item)
  local j = call('HMGET', job_key(split(item)), 'model', 'band')
  if j[1] then put_back(item, j[1], j[2]) end
end
-- Who asks finds its own items below; the other models' workers are told.
arrived[model] = nil

local function start(job, j)
  call('HSET', job_key(job), 'status', 'processing', 'started', now)
  move_index(j[6], job, j[5], 'queued', 'processing')
  touched[job] = 'changed'
end

local function hand_out(item, score, solo)
  local job, index = split(item)
  local source = call('HGET', sources_key(job), index)
  if not source then return end
  local j = call('HMGET', job_key(job), 'status', 'cancel', 'options', 'attempts', 'created',
    'tenant', 'trace')
  if j[2] then
    finish(item, 'canceled', canceled)
    return
  end
  local tries = call('HMGET', try_key(item), 'epoch', 'attempts')
  local epoch, attempt = num(tries[1]) + 1, num(tries[2]) + 1
  local token = epoch..'-'..ticket..'.'..#claimed
  local try = {'state', 'running', 'epoch', epoch, 'attempts', attempt, 'token', token,
    'worker', worker}
  -- An item that comes alone keeps the score of its first claim.
  if not solo then try[#try + 1], try[#try + 2] = 'score', score end
  call('HSET', try_key(item), unpack(try))
  call('ZADD', LEASES, now + lease, item)
  if j[1] == 'queued' then start(job, j) end
  claimed[#claimed + 1] = {item, token, attempt, j[4], solo and 1 or 0, source, j[3], j[5],
    j[7] or '', j[6]}
end

-- Items that took a worker down go first, and alone.
local function claim_solo(lane)
  while #claimed == 0 and wanted > 0 do
    local popped = call('ZPOPMIN', solo_key(lane))
    if not popped[1] then return end
    hand_out(popped[1], nil, true)
  end
end

-- Items of canceled jobs fill no place, so there may be several rounds; what
-- one claim looks at stays bounded all the same.
local looked = 0
local function claim_lane(lane)
  local score
  while #claimed < wanted and looked < wanted + 200 do
    local room = wanted - #claimed
    local popped = call('ZPOPMIN', ready_key(lane), room)
    for i = 1, #popped, 2 do
      score = popped[i + 1]
      looked = looked + 1
      hand_out(popped[i], score, false)
    end
    if #popped < 2 * room then break end
  end
  if score then advance(lane, num(score)) end
end

if alone and call('EXISTS', solo_key(lane_of(model, 0)), solo_key(lane_of(model, 1)),
    solo_key(lane_of(model, 2))) > 0 then
  for band = 0, 2 do claim_solo(lane_of(model, band)) end
end
if #claimed == 0 then
  -- Every eighth claim that finds work looks at the bands in reverse.
  local turn = num(call('HGET', P..'turns', model)) + 1
  local first, last, step = 0, 2, 1
  if turn % 8 == 0 then first, last, step = 2, 0, -1 end
  for band = first, last, step do claim_lane(lane_of(model, band)) end
  if #claimed > 0 then call('HSET', P..'turns', model, turn % 8) end
end
settle()
return with_endings(claimed)

-- Taking a job in. Both who enqueue and who open pass the same arguments:
-- ARGV: 2 job, 3 tenant, 4 weight, 5 model, 6 band, 7 options, 8 metadata,
--       9 attempts allowed, 10 retention in ms, 11 items allowed to be live,
--       12 callback as JSON, 13 place in a trace, each empty for none.
local function admit(total, status)
  local job = ARGV[2]
  if call('EXISTS', job_key(job)) == 1 then return 'replayed' end
  local live = num(call('HGET', META, 'live'))
  if live + total > num(ARGV[11]) then return 'full', live end
  call('HSET', job_key(job),
    'tenant', ARGV[3], 'weight', ARGV[4], 'model', ARGV[5], 'band', ARGV[6],
    'options', ARGV[7], 'metadata', ARGV[8], 'attempts', ARGV[9], 'retention', ARGV[10],
    'total', total, 'status', status, 'created', now)
  if ARGV[12] ~= '' then call('HSET', job_key(job), 'callback', ARGV[12]) end
  if ARGV[13] ~= '' then call('HSET', job_key(job), 'trace', ARGV[13]) end
  call('HINCRBY', META, 'live', total)
  return 'created'
end

-- Keeps the sources in ARGV from place `at` on as items `first` onward. The
-- blobs of uploads stop being garbage in the same step.
local function keep_sources(job, first, at)
  local uploads = 0
  for i = at, #ARGV do
    local index = int(first + i - at)
    local added = call('HSETNX', sources_key(job), index, ARGV[i])
    if ARGV[i] == 'upload' then
      uploads = uploads + added
      call('PERSIST', blob_key(job..'.'..index))
    end
  end
  if uploads > 0 then call('HINCRBY', job_key(job), 'uploads', uploads) end
end

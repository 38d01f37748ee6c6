-- Taking a job in. Both who enqueue and who open pass the same arguments:
-- ARGV: 2 job, 3 tenant, 4 weight, 5 model, 6 band, 7 options, 8 metadata,
--       9 attempts allowed, 10 retention in ms, 11 items allowed to be live,
--       12 items of a tenant, 13 bytes of uploads, 14 shards, 15 callback as
--       JSON, 16 place in a trace, 17 the caller's key, each empty for none,
--       18 fingerprint of the request, 19 ms for which the key is remembered.
-- What follows begins at 20.
local FIRST = 20

-- What a caller's key stands for: nothing, or a word and the job.
local function repeated(tenant, key, fingerprint, job)
  local known = call('HMGET', key_key(tenant, key), 'job', 'fingerprint', 'till')
  if not known[1] or known[1] == job or num(known[3]) <= now then return end
  if known[2] ~= fingerprint then return 'key_reused' end
  if call('HGET', job_key(known[1]), 'status') == 'open' then return 'key_in_progress' end
  return 'repeated', known[1]
end

-- Answers a word; then when the job was created, the job that is repeated, or
-- what is live and by how much it is too much.
local function admit(total, status, bytes)
  local job, tenant, key = ARGV[2], ARGV[3], ARGV[17]
  if key ~= '' then
    local word, first = repeated(tenant, key, ARGV[18], job)
    if word then return word, first end
  end
  if call('EXISTS', job_key(job)) == 1 then return 'replayed' end
  local word, live, over = refuse(tenant, total, bytes, 11)
  if word then return word, live, over end
  local fields = {'tenant', ARGV[3], 'weight', ARGV[4], 'model', ARGV[5], 'band', ARGV[6],
    'options', ARGV[7], 'metadata', ARGV[8], 'attempts', ARGV[9], 'retention', ARGV[10],
    'total', total, 'status', status, 'created', now}
  for name, text in pairs({callback = ARGV[15], trace = ARGV[16], key = key}) do
    if text ~= '' then fields[#fields + 1], fields[#fields + 2] = name, text end
  end
  call('HSET', job_key(job), unpack(fields))
  if key ~= '' then
    call('HSET', key_key(tenant, key), 'job', job, 'fingerprint', ARGV[18],
      'till', int(now + num(ARGV[19])))
    call('PEXPIRE', key_key(tenant, key), ARGV[19])
  end
  call('HINCRBY', META, 'live', total)
  call('HINCRBY', LOADS, tenant, total)
  return 'created', int(now)
end

-- Keeps the sources in ARGV from place `at` to `last` as items `first` onward.
-- The blobs of uploads stop being garbage in the same step.
local function keep_sources(job, first, at, last)
  local uploads, bytes = 0, 0
  for i = at, last do
    local index = int(first + i - at)
    local added = call('HSETNX', sources_key(job), index, ARGV[i])
    if string.sub(ARGV[i], 1, 6) == 'upload' then
      uploads = uploads + added
      bytes = bytes + added * bytes_of(ARGV[i])
      call('PERSIST', blob_key(job..'.'..index))
    end
  end
  if uploads > 0 then call('HINCRBY', job_key(job), 'uploads', uploads) end
  if bytes > 0 then call('HINCRBY', META, 'bytes', int(bytes)) end
end

-- Whether Redis may send this answer before it has written what it says, as
-- written.rs tells: a sync of the disk is under way. Nothing begins one while a
-- script runs, and without one Redis writes first. A server without an
-- append-only file says nothing of it; one that tells nothing is asked again.
local function put_off()
  local info = redis.pcall('INFO', 'persistence')
  if type(info) ~= 'string' then return 1 end
  return (figure(info, 'aof_pending_bio_fsync') or 0) > 0 and 1 or 0
end

-- What a script that admits answers: of a job that is there, whether that is
-- written; of one that is refused, when there will be room.
local function answer(word, about, over)
  if word == 'created' or word == 'replayed' or word == 'repeated' then
    return {word, about or '', 0, {}, put_off()}
  end
  return {word, tostring(about or ''), over or 0, drained(), 0}
end

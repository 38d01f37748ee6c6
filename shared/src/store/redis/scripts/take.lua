#!lua
-- Takes units out of a rate limit's bucket, all or none: the generic cell
-- rate algorithm, as limits.rs has it. Answers whether they were taken, how
-- many milliseconds too early the request came, and how many are used up.
-- ARGV: 2 bucket, 3 units, 4 ms until a unit is back, 5 ms of the window.
local key, interval, window = P..'rate:'..ARGV[2], num(ARGV[4]), num(ARGV[5])
-- A bucket that is emptier than empty was written before the clock was set back.
local tat = math.min(math.max(tonumber(call('GET', key)) or now, now), now + window)
local next = tat + num(ARGV[3]) * interval
local early = next - window - now
local allowed = early <= 1e-3
if allowed then
  tat = next
  call('SET', key, string.format('%.17g', tat), 'PX', math.ceil(math.max(tat - now, 1)))
end
return {allowed and 1 or 0, string.format('%.17g', early), string.format('%.17g', tat - now)}

-- Deliveries that nobody wants any more.

-- Gives up what is due in the lane of a disabled endpoint, at most `budget`;
-- answers how many.
local function give_up_due(lane, budget)
  local ids = call('ZRANGE', pending_key(lane), '-inf', now, 'BYSCORE', 'LIMIT', 0, budget)
  for _, id in ipairs(ids) do
    note(id, 'endpoint_disabled')
    end_delivery(lane, id, 'failed')
  end
  refresh_lane(lane)
  return #ids
end

-- Gives up what is pending in the lane of an endpoint that is gone, due or
-- not, but for what is held; at most `budget`; answers how many.
local function give_up_all(lane, budget)
  local held = call('ZCOUNT', held_key(lane), '('..int(now), '+inf')
  local given_up = 0
  for _, id in ipairs(call('ZRANGE', pending_key(lane), 0, budget + held - 1)) do
    if num(call('ZSCORE', held_key(lane), id)) <= now and given_up < budget then
      note(id, 'endpoint_removed')
      end_delivery(lane, id, 'failed')
      given_up = given_up + 1
    end
  end
  refresh_lane(lane)
  -- There may be more, which the next claim looks at, whenever it is due.
  if given_up == budget and call('EXISTS', pending_key(lane)) == 1 then
    line_up_lane(lane, now, call('HGET', lane_key(lane), 'turn'))
  end
  return given_up
end

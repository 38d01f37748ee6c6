
-- What an API key is: a hash of fields, with those that are not there as
-- empty texts; its id stands in the set of all, by creation.
local KEYS_BY_AGE = P..'keys'
local KEY_FIELDS = {
  'hash', 'name', 'tenant', 'scopes', 'weight', 'rate_per_minute',
  'created_at', 'expires_at', 'revoked_at', 'last_used_on',
}
local function key_key(id) return P..'key:'..id end
local function read_key(id)
  local values = call('HMGET', key_key(id), unpack(KEY_FIELDS))
  if not values[1] then return {} end
  for i = 1, #KEY_FIELDS do values[i] = values[i] or '' end
  table.insert(values, 1, id)
  return values
end

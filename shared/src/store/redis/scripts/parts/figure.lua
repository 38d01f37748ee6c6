-- A figure in what INFO tells, or nothing. Its name is sought as plain text: a
-- pattern takes several times as long.
local function figure(info, name)
  local _, last = string.find(info, '\n'..name..':', 1, true)
  return last and tonumber(string.match(info, '^%d+', last + 1))
end

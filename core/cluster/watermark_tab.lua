-- What a tab shows. ARGV from [6]: what, user, tag, peer, data, number, here:
--   open        it shows the peer, and nothing else; data of the user, if any; here = "here": this node has its stream
--   close       it does not show the peer any more; peer "": whatever it shows
--   connect     this node has its stream; the peer is what it showed if the server has forgotten it
--   disconnect  this node has its stream no more
-- data and number: what is said of the user, JSON or "", and the number of the stream of which, or "".
-- Answers { peer }, what it shows now ("": nothing).

local what, user, tag, peer, data, number, here = unpack(ARGV, 6, 12)
local tabs = read_tabs(user)
local tab  = tabs[tag]

-- Of tabs without a stream there are so many; the one goes whose time ends first.
local function make_room()
  local count, first = 0, nil
  for name, each in pairs(tabs) do
    if each.holder == "-" then
      count = count + 1
      if not first or each.until_ms < tabs[first].until_ms then first = name end
    end
  end
  if count >= TABS_MAX then write_tab(user, first, nil) end
end

local function tell_holder(shown)
  if tab.holder == "-" or tab.holder == node then return end
  local news = base .. "news:" .. tab.holder
  redis.call("RPUSH", news, user, tag, shown)
  redis.call("LTRIM", news, -3000, -1)
  redis.call("PEXPIRE", news, 60000)
end

local function remember()
  if data == "" then return end
  local key = base .. "who:" .. user
  if what == "connect" and redis.call("EXISTS", key) == 0 then return end -- it has opened nothing
  redis.call("HSET", key, "data", data, "node", node, "number", number)
  redis.call("PEXPIRE", key, DAY_MS)
end

if what == "open" then
  remember()
  if not tab then
    make_room()
    tab = { holder = "-" }
  end
  if here == "here" then tab.holder = node end
  tab.until_ms = tab.holder == "-" and now_ms + WITHOUT_STREAM_MS or 0
  tab.peer     = peer
  write_tab(user, tag, tab)
  tell_holder(peer)
elseif what == "close" then
  if not tab or peer ~= "" and tab.peer ~= peer then return { tab and tab.peer or "" } end
  tab.peer = ""
  write_tab(user, tag, tab.holder ~= "-" and tab or nil)
  tell_holder ""
elseif what == "connect" then
  remember()
  tab = { holder = node, until_ms = 0, peer = tab and tab.peer or peer }
  write_tab(user, tag, tab)
elseif tab and tab.holder == node then
  write_tab(user, tag, nil)
  tab = nil
end
return { tab and tab.peer or "" }

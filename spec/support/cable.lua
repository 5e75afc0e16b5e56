--- Network cables that a spec can cut: pairs of virtual interfaces, one end here, the other in a network namespace of
-- its own, where clients or servers run. Root of Linux only; `cable.missing()` says what is not there.
--
--   local line = cable.new()                  -- one by itself
--   local switch = cable.switch()             -- or several into one switch, at which this machine is switch.here
--   local line = switch:lay(cable.space())    -- a space may have cables from several switches
--   line:pull(); line:mend()                  -- as a plug; or one way only: line:deafen(), line:mute()

local busted = require "busted"
require "spec.support.e2e" -- first after a test, so that what runs at the far ends has ended
local unistd = require "posix.unistd"

local cable = {}
local Cable = {}
Cable.__index = Cable
local Switch = {}
Switch.__index = Switch
local Line = {} -- a cable into a switch
Line.__index = Line

local laid, count = {}, 0
local SWITCH, NOBODY = "02:00:00:00:00:01", "02:00:00:00:00:02" -- hardware's addresses; the latter nobody has

local function run(format, ...)
  return os.execute(format:format(...) .. " >/dev/null 2>&1") == 0
end

local function must(format, ...)
  if not run(format, ...) then error("failed: " .. format:format(...), 2) end
end

--- Why there can be none, as a sentence; nil: there can.
function cable.missing()
  if unistd.geteuid() ~= 0 then return "a cable to cut takes root" end
  local name = ("slcc%d"):format(unistd.getpid())
  local can = run("ip netns add %s", name) and run("ip link add %s type veth peer name %sp netns %s", name, name, name)
    and run("ip netns exec %s true", name) -- not where / is no mount of its own, as in a plain chroot
  run("ip link del %s", name)
  run("ip netns del %s", name)
  if not can then return "this machine has no network namespaces with veth (`ip netns`, CAP_NET_ADMIN)" end
end

--- Lays one. `here` is this end's address.
function cable.new()
  count = count + 1
  local number = (unistd.getpid() * 4 + count) % 16384
  local net = ("10.213.%d."):format(math.floor(number / 64))
  local self = setmetatable({
    near = ("slc%d"):format(number), far = ("slc%dp"):format(number), space = ("slc%d"):format(number),
    here = net .. number % 64 * 4 + 1, there = net .. number % 64 * 4 + 2,
  }, Cable)
  laid[#laid + 1] = self
  must("ip netns add %s", self.space)
  must("ip link add %s type veth peer name %s netns %s", self.near, self.far, self.space)
  must("ip addr add %s/30 dev %s", self.here, self.near)
  must("ip link set %s up", self.near)
  must("ip -n %s addr add %s/30 dev %s", self.space, self.there, self.far)
  must("ip -n %s link set %s up", self.space, self.far)
  return self
end

--- The words of a command that runs at the far end.
function Cable:command(words)
  local all = { "ip", "netns", "exec", self.space }
  for _, word in ipairs(words) do all[#all + 1] = word end
  return all
end

--- From now on the far end answers nothing, and nobody is told. `how`: "silent", as behind a router: packets leave
-- and are never heard of again; "unreachable", as on a LAN: the neighbour is asked for and not found.
function Cable:cut(how)
  if how == "silent" then
    local mac = io.popen(("ip netns exec %s cat /sys/class/net/%s/address"):format(self.space, self.far)):read "*l"
    must("ip neigh replace %s lladdr %s dev %s nud permanent", self.there, mac, self.near)
  else
    must("ip ntable change name arp_cache dev %s retrans 100", self.near)
  end
  must("ip -n %s addr flush dev %s", self.space, self.far)
  if how ~= "silent" then must("ip neigh flush dev %s", self.near) end
end

function Cable:remove()
  run("ip link del %s", self.near)
  run("ip netns del %s", self.space)
end

-- ---- switches ----

local function removal(format, ...)
  local words = format:format(...)
  table.insert(laid, { remove = function() run("%s", words) end })
end

-- Interfaces' names have 15 letters at most.
local function name(kind)
  count = count + 1
  return ("sl%d%s%d"):format(unistd.getpid(), kind, count)
end

--- A network namespace for cables from switches; its name.
function cable.space()
  local space = name "n"
  must("ip netns add %s", space)
  removal("ip netns del %s", space)
  must("ip -n %s link set lo up", space)
  return space
end

--- The words that a command at the far end begins with.
function cable.inside(space) return { "ip", "netns", "exec", space } end

-- The first part and the last number of eight addresses that nobody here has.
local function free_addresses()
  local number = unistd.getpid() * 2
  while true do
    number = (number + 1) % 8192
    local net, first = ("10.214.%d."):format(math.floor(number / 32)), number % 32 * 8
    local pipe = io.popen(("ip -4 -o addr show to %s%d/29"):format(net, first))
    local taken = pipe:read "*a"
    pipe:close()
    if taken == "" then return net, first end
  end
end

--- A switch with room for five cables.
function cable.switch()
  local bridge, net, first = name "s", free_addresses()
  local self = setmetatable({ bridge = bridge, here = net .. first + 1, _net = net, _last = first + 1 }, Switch)
  -- Without an address of its own it takes that of one of its cables, and another one when a cable is added.
  must("ip link add %s address %s type bridge", bridge, SWITCH)
  removal("ip link del %s", bridge)
  must("ip addr add %s/29 dev %s", self.here, bridge)
  must("ip link set %s up", bridge)
  return self
end

--- Lays a cable into a space; `there` is its address in it.
function Switch:lay(space)
  self._last = self._last + 1
  local near = name "c"
  local line = setmetatable({ switch = self, space = space, near = near, far = near .. "p",
                              there = self._net .. self._last }, Line)
  must("ip link add %s type veth peer name %s netns %s", line.near, line.far, space)
  removal("ip link del %s", line.near)
  must("ip link set %s master %s up", line.near, self.bridge)
  must("ip -n %s addr add %s/29 dev %s", space, line.there, line.far)
  must("ip -n %s link set %s up", space, line.far)
  return line
end

--- From now on nothing passes, and neither end is told: the plug is out of the switch, so both keep their addresses
-- and their routes, and what they send is gone.
function Line:pull() must("ip link set %s down", self.near) end

--- From now on nothing that this machine sends arrives there; what is sent from there arrives. (It goes to nobody's
-- address.)
function Line:deafen()
  must("ip neigh replace %s lladdr %s dev %s nud permanent", self.there, NOBODY, self.switch.bridge)
end

--- The other way round.
function Line:mute()
  must("ip -n %s neigh replace %s lladdr %s dev %s nud permanent", self.space, self.switch.here, NOBODY, self.far)
end

--- Everything passes again.
function Line:mend()
  must("ip link set %s up", self.near)
  run("ip neigh del %s dev %s", self.there, self.switch.bridge)
  run("ip -n %s neigh del %s dev %s", self.space, self.switch.here, self.far)
end

busted.after_each(function()
  while #laid > 0 do table.remove(laid):remove() end
end)

return cable

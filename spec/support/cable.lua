--- A network cable that a spec can cut: a pair of virtual interfaces, one end here, the other in a network namespace of
-- its own, where clients run. Root of Linux only; `cable.missing()` says what is not there.

local busted = require "busted"
local unistd = require "posix.unistd"

local cable = {}
local Cable = {}
Cable.__index = Cable

local laid, count = {}, 0

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

busted.after_each(function()
  while #laid > 0 do table.remove(laid):remove() end
end)

return cable

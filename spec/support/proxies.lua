--- The proxies of examples/proxies, run for real in front of a server: the shipped file with other addresses, and what
-- it takes to run it without root and beside others.

local e2e  = require "spec.support.e2e"
local proc = require "spec.support.proc"
local tcp  = require "spec.support.tcp"
local wait = require "spec.support.wait"

local proxies = {}

local function shipped(name, address, port)
  local file = assert(io.open(e2e.root .. "/examples/proxies/" .. name))
  local text = file:read "*a"
  file:close()
  local function swap(from, to)
    local count
    text, count = text:gsub(from, (to:gsub("%%", "%%%%")))
    assert(count == 1, name .. " has not " .. from .. " once")
  end
  swap("127%.0%.0%.1:8080", address)
  return text, swap, function() return text end, port
end

local kinds = {
  nginx = function(folder, address, port, options)
    local _, swap, text = shipped("nginx.conf", address)
    swap("listen 80", "listen 127.0.0.1:" .. port .. (options.http2 and " http2" or ""))
    local conf = ([[
daemon off; pid %s/pid; error_log stderr; worker_processes 1;
events { worker_connections 512; }
http { access_log off; client_body_temp_path %s/a; proxy_temp_path %s/b; fastcgi_temp_path %s/c; uwsgi_temp_path %s/d;
scgi_temp_path %s/e;
%s }]]):format(folder, folder, folder, folder, folder, folder, text())
    return { "nginx", "-c", e2e.write(folder .. "/nginx.conf", conf), "-p", folder, "-e", "stderr" }
  end,
  caddy = function(folder, address, port)
    local _, swap, text = shipped("Caddyfile", address)
    swap("\n:80 {", "\n:" .. port .. " {\n\tbind 127.0.0.1")
    local path = e2e.write(folder .. "/Caddyfile", "{\n\tadmin off\n\tauto_https off\n}\n" .. text())
    return { "caddy", "run", "--config", path, "--adapter", "caddyfile" }, { HOME = folder }
  end,
  haproxy = function(folder, address, port)
    local _, swap, text = shipped("haproxy.cfg", address)
    swap("bind :80", "bind 127.0.0.1:" .. port)
    swap("maxconn 20000", "maxconn 500")
    return { "haproxy", "-db", "-f", e2e.write(folder .. "/haproxy.cfg", text()) }
  end,
}

local proxy = {}
proxy.__index = proxy

--- Starts it (again) on its port, and waits until it takes connections.
function proxy:start()
  self.process = proc.spawn(self.command, { env = e2e.environment(self.env), cwd = self.folder })
  wait.wait_until(function()
    assert(self.process:alive(), self.kind .. " ended: " .. self.process:output())
    local ok, conn = pcall(tcp.connect, self.address)
    if ok then conn:close() end
    return ok
  end, 10, self.kind .. " to listen")
end

--- Ends it by its pid, as a restart does.
function proxy:stop()
  self.process:signal "TERM"
  wait.wait_until(function() return not self.process:alive() end, 10, self.kind .. " to end")
end

--- Kills it, workers and all.
function proxy:kill() self.process:kill() end

--- A proxy of a kind in front of a server's address, on a free port. `options.http2`, of nginx: it speaks that to
-- clients, without TLS.
function proxies.start(kind, address, options)
  local port = tcp.free_port()
  local self = setmetatable({ kind = kind, folder = e2e.folder(), address = "127.0.0.1:" .. port }, proxy)
  self.command, self.env = kinds[kind](self.folder, address, port, options or {})
  self:start()
  return self
end

return proxies

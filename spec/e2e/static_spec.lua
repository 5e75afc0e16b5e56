-- Files as they are: types, freshness, and no way out of the directory.

local e2e  = require "spec.support.e2e"
local http = require "spec.support.http"
local stat = require "posix.sys.stat"
local tcp  = require "spec.support.tcp"
local unistd = require "posix.unistd"

local FILES = {
  ["public/index.html"]     = "<p>home</p>",
  ["public/style.css"]      = "p { color: red }",
  ["public/app.js"]         = "alert(1)",
  ["public/a b.svg"]        = "<svg/>",
  ["public/data.bin"]       = "\0\1\2",
  ["public/.secret"]        = "hidden",
  ["public/sub/index.html"] = "<p>sub</p>",
  ["public/sub/page.html"]  = "<p>page</p>",
  ["secret.txt"]            = "above",
}

-- A server with those files beside its rule files: one app has them at "/", another some of them below "/lib".
local function serve()
  local folder = e2e.folder()
  stat.mkdir(folder .. "/public")
  stat.mkdir(folder .. "/public/sub")
  for name, text in pairs(FILES) do e2e.write(folder .. "/" .. name, text) end
  unistd.link("../secret.txt", folder .. "/public/link.txt", true)
  e2e.write(folder .. "/page.lua", [[
    local app = require("sluice").app "page"
    app:static("page", "/", "public")
    app:route("here", "GET /here", { run = function() return 200, "a route" end })
  ]])
  e2e.write(folder .. "/zlib.lua", [[
    local app = require("sluice").app "lib"
    app:static("lib", "/lib", { directory = "public/sub", cache = "max-age=3600" })
  ]])
  return e2e.server { conf = ("rules = %q"):format(folder .. "/*.lua") }, folder
end

describe("a static file", function()
  it("has its type, and is asked about again", function()
    local server = serve()
    local function get(path)
      local answer = http.get(server.address, path)
      return { answer.status, answer.headers["content-type"], answer.body }
    end
    assert.same({ 200, "text/html; charset=utf-8", "<p>home</p>" }, get "/")
    assert.same({ 200, "text/html; charset=utf-8", "<p>home</p>" }, get "/index.html?v=1")
    assert.same({ 200, "text/css; charset=utf-8", "p { color: red }" }, get "/style.css")
    assert.same({ 200, "text/javascript; charset=utf-8", "alert(1)" }, get "/app.js")
    assert.same({ 200, "image/svg+xml", "<svg/>" }, get "/a%20b.svg")
    assert.same({ 200, "application/octet-stream", "\0\1\2" }, get "/data.bin")
    assert.same({ 200, "text/html; charset=utf-8", "<p>sub</p>" }, get "/sub/")
    assert.same({ 200, "text/html; charset=utf-8", "<p>page</p>" }, get "/lib/page.html")
    assert.same({ 200, "text/html; charset=utf-8", "<p>sub</p>" }, get "/lib/")
    assert.same({ 200, "text/plain; charset=utf-8", "a route" }, get "/here")
    for path, place in pairs { ["/sub?a=b"] = "/sub/?a=b", ["/lib"] = "/lib/" } do
      local redirect = http.get(server.address, path)
      assert.same({ 301, place }, { redirect.status, redirect.headers.location })
    end
    local sniffed = http.get(server.address, "/data.bin").headers
    assert.same({ "nosniff", "no-cache" }, { sniffed["x-content-type-options"], sniffed["cache-control"] })
    assert.equal("max-age=3600", http.get(server.address, "/lib/page.html").headers["cache-control"])
  end)

  it("is not sent again while it is the same", function()
    local server, folder = serve()
    local first = http.get(server.address, "/style.css")
    local etag  = first.headers.etag
    for _, condition in ipairs { etag, "W/" .. etag, '"x", ' .. etag, "*" } do
      local again = http.get(server.address, "/style.css", { ["If-None-Match"] = condition })
      assert.same({ 304, "", etag }, { again.status, again.body, again.headers.etag })
    end
    local since = http.get(server.address, "/style.css", { ["If-Modified-Since"] = first.headers["last-modified"] })
    assert.equal(304, since.status)
    e2e.write(folder .. "/public/style.css", "p { color: rud }")
    local other = http.get(server.address, "/style.css", { ["If-None-Match"] = etag })
    assert.same({ 200, "p { color: rud }" }, { other.status, other.body })
  end)

  it("answers HEAD with everything but the body, and no other method", function()
    local server = serve()
    local head = http.request(server.address, { method = "HEAD", path = "/style.css" })
    assert.same({ 200, "", "16" }, { head.status, head.body, head.headers["content-length"] })
    local post = http.post(server.address, "/style.css", { body = "" })
    assert.same({ 405, "GET, HEAD, OPTIONS" }, { post.status, post.headers.allow })
  end)

  it("is never outside the directory, hidden, or behind a link", function()
    local server = serve()
    for _, path in ipairs {
      "/../secret.txt", "/%2e%2e/secret.txt", "/%2e%2e%2fsecret.txt", "/sub/../../secret.txt", "/..%5csecret.txt",
      "/sub/%2e%2e/%2e%2e/secret.txt", "/.secret", "/%2esecret", "/link.txt", "/sub%2fpage.html", "//etc/passwd",
      "/sub/..", "/lib/../secret.txt", "/lib/%2e%2e/style.css", "/libx", "/nothing", "/index.html/",
      "/style.css%00.html", "//style.css",
    } do
      local conn = tcp.connect(server.address)
      conn:send("GET " .. path .. " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      local answer = conn:read_all()
      assert.matches("^HTTP/1.1 40[04] ", answer, 1, path)
    end
  end)
end)

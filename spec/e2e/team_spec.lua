-- What a team does with an installed Sluice, in a folder of its own: a first app, its spec, a check.

local e2e  = require "spec.support.e2e"
local proc = require "spec.support.proc"
local tree = require "spec.support.tree"

local variant = (os.getenv "SLUICE_BUILD" or "build"):match "^build/(%w+)$" or "plain"

-- The binary of a `make install` into a temporary folder, and an empty folder to work in.
local function install()
  local prefix = e2e.folder()
  local make = proc.spawn({ "make", "-s", "-C", e2e.root, "install", "DESTDIR=", "PREFIX=" .. prefix,
                            "VARIANT=" .. variant },
                          { env = { MAKEFLAGS = false, MFLAGS = false, LD_PRELOAD = false } })
  assert.equal(0, make:wait(120), make:output())
  return prefix .. "/bin/sluice", e2e.folder()
end

-- Runs a command in a folder, where nothing helps Lua to find anything. Options as for e2e.run.
local function sluice(folder, words, options)
  local given = { cwd = folder, timeout = 30, env = { LUA_PATH = false, LUA_CPATH = false } }
  for name, value in pairs(options or {}) do given[name] = value end
  return e2e.run(words, given)
end

describe("an installed sluice", function()
  it("writes an app that passes its spec and is good", function()
    local binary, folder = install()
    local code, output = sluice(folder, { "new", "news" }, { binary = binary })
    assert.equal([[
wrote rules/news.lua               who sees what, and what its events mean
wrote spec/news_spec.lua           the same, tried out
wrote sse.lua.conf                 serves it

Next:
  sluice spec      run its spec
  sluice check     see what would be served
  sluice run       serve it: the stream is /news/events; its app is expected at NEWS_URL
]], output)
    assert.equal(0, code)

    code, output = sluice(folder, { "spec" }, { binary = binary })
    assert.matches("^%++\n5 successes / 0 failures / 0 errors / 0 pending : [%d.]+ seconds\n$", output)
    assert.equal(0, code)

    code, output = sluice(folder, { "check" }, { binary = binary })
    assert.matches("^sse.lua.conf is good.\n", output)
    assert.matches("\n  stream +GET +/news/events +events +with identity\n", output)
    assert.is_nil(output:find "Probably not meant")
    assert.equal(0, code)
  end)
end)

describe("sluice new", function()
  local function new(folder, ...) return { sluice(folder, { "new", ... }) } end

  it("writes over nothing", function()
    local folder = e2e.folder()
    assert.equal(0, new(folder, "news")[1])
    e2e.write(folder .. "/spec/news_spec.lua", "mine")
    e2e.write(folder .. "/sse.lua.conf", "mine")
    local said = { 2, "sluice new: rules/news.lua is there already; nothing was written\n" }
    assert.same(said, new(folder, "news"))
    os.remove(folder .. "/rules/news.lua")
    said[2] = said[2]:gsub("rules/news", "spec/news_spec")
    assert.same(said, new(folder, "news"))
    assert.is_nil(io.open(folder .. "/rules/news.lua"))

    local code, output = unpack(new(folder, "other-news"))
    assert.matches('\nsse.lua.conf is there already: put "rules/other%-news.lua" into its rules.\n', output)
    assert.matches("OTHER_NEWS_URL\n$", output)
    assert.equal(0, code)
    assert.equal("mine", tree.read(folder .. "/spec/news_spec.lua") )
    assert.equal("mine", tree.read(folder .. "/sse.lua.conf"))
  end)

  it("takes a name and no other word", function()
    local folder = e2e.folder()
    assert.same({ 2, "sluice new: expected a name, as in: sluice new news\n" }, new(folder))
    assert.same({ 2, "sluice new: 'b' is one word too many: one app at a time\n" }, new(folder, "a", "b"))
    for _, name in ipairs { "../a", "1a", "a.lua", "", "-c", ("a"):rep(65) } do
      assert.same({ 2, "sluice new: expected a name (a letter, then letters, digits, '_', '-'; 64 at most), got '"
        .. name .. "'\n" }, new(folder, name))
    end
    assert.same({}, tree.files(folder, { lua = true, conf = true }))
  end)
end)

describe("sluice spec", function()
  local function team()
    local folder = e2e.folder()
    assert.equal(0, (sluice(folder, { "new", "news" })))
    return folder
  end

  local function spec(folder, ...) return sluice(folder, { "spec", ... }) end

  it("hands busted's options on", function()
    local folder = team()
    local code, output = spec(folder, "-o", "TAP", "--filter=ten seconds")
    assert.equal("ok 1 - news keeps the connection for ten seconds after the last tab\n1..1\n", output)
    assert.equal(0, code)
    code, output = spec(folder, "--version")
    assert.matches("^[%d.]+\n$", output)
    assert.equal(0, code)
    code, output = spec(folder, "--help")
    assert.matches("^Usage: sluice spec .*%-%-filter=PATTERN", output)
    assert.equal(0, code)
  end)

  it("runs with modules in C that several files load", function()
    local folder = team()
    for _, name in ipairs { "a", "b" } do
      e2e.write(folder .. "/spec/" .. name .. "_spec.lua", [[
        local rig, core, json = require "sluice.rig", require "sluice.core", require "cjson"
        it("finds them", function()
          local kept = debug.getregistry() -- what busted does not clean up
          kept.core, kept.json = kept.core or core, kept.json or json
          assert.equal(kept.core, core)
          assert.equal(kept.json, json)
          assert.equal(json.null, require("cjson.safe").decode "null")
          local world = rig.load "rules/news.lua"
          assert.same({}, world:links())
          world:close()
        end)
      ]])
    end
    local code, output = spec(folder)
    assert.matches("\n7 successes / 0 failures / 0 errors", output)
    assert.equal(0, code)
  end)

  it("fails where a spec fails, and not the next one with it", function()
    local folder = team()
    e2e.write(folder .. "/spec/a_spec.lua", [[
      local rig = require "sluice.rig"
      it("fails", function()
        local world = rig.load "rules/news.lua"
        world:reply("GET /session", { json = { user = "ann", token = "t" } })
        assert.equal(401, world:connect("/news/events").status)
      end)
      it("passes", function() rig.load("rules/news.lua"):close() end)
    ]])
    local code, output = spec(folder)
    assert.matches("\n6 successes / 1 failure / 0 errors", output)
    assert.matches("spec/a_spec.lua:5: Expected objects to be equal", output)
    assert.equal(1, code)
  end)

  it("shows where a rule file is wrong", function()
    local folder = team()
    local rules = tree.read(folder .. "/rules/news.lua")
    e2e.write(folder .. "/rules/news.lua", (rules:gsub("history  ", "histroy  ")))
    local code, output = spec(folder, "--filter", "said itself")
    assert.matches("rules/news.lua:19: app:topic \"user:{user}\": unknown option 'histroy'; did you mean 'history'?",
      output, 1, true)
    assert.equal(1, code)

    e2e.write(folder .. "/rules/news.lua", (rules:gsub("ev:json%(%).id", "ev.nothing.id")))
    code, output = spec(folder, "--filter", "every tab")
    assert.matches("\nIn the log of specs that failed:\ntells every tab of the user, over one connection:\n"
      .. '  msg="rule failed" app=news in="feed:on \\"notice\\"" declared=rules/news.lua:45 '
      .. [[error="rules/news.lua:46: event has no 'nothing'"]], output, 1, true)
    assert.equal(1, code)
  end)

  it("says what it looked for where there is nothing to run", function()
    local folder = e2e.folder()
    assert.same({ 2, "sluice spec: there is no 'spec' in " .. folder .. "; name spec files or folders, or write a "
      .. "first one: sluice new APP\n" }, { spec(folder) })
    local code, output = spec(folder, "a_spec.lua", "--filter=x")
    assert.matches("^sluice spec: there is no 'a_spec.lua' in ", output)
    assert.equal(2, code)
    e2e.write(folder .. "/a.lua", "")
    assert.same({ 2, "sluice spec: no file in . has '_spec' in its name\n" }, { spec(folder, ".") })
    assert.same({ 2, "sluice spec: unknown/bad flag: --flter; re-run with --help for usage.\n" },
      { spec(folder, "--flter") })
    code, output = spec(team(), "--filter=no such spec")
    assert.matches("\nsluice spec: none of the specs was to be run\n$", output)
    assert.equal(2, code)
  end)

  it("says what to install where busted is missing", function()
    assert.same({ 2, "sluice spec: busted is not installed: apt-get install lua-busted\n" },
      { sluice(team(), { "spec" }, { env = { LUA_PATH = "/nowhere/?.lua" } }) })
  end)
end)

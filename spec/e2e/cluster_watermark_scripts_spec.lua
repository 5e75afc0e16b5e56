-- What a Redis server does for watermarks, script by script (core/cluster/watermark_*.lua): two nodes that live, one
-- that is dead, and what is said of tabs and rows.

local proc         = require "spec.support.proc"
local redis_server = require "spec.support.redis"
local wait         = require "spec.support.wait"

local KEY = "p:watermark:4:chat:read:"

local function read(name)
  local file = assert(io.open("core/cluster/" .. name .. ".lua"))
  local text = file:read "*a"
  file:close()
  return text
end

describe("the scripts of watermarks", function()
  local redis

  local function alive(node, seconds)
    local time = redis:cli "TIME"
    redis:cli("ZADD", "p:nodes", ("%.0f"):format((tonumber(time:match "^%d+") + seconds) * 1000), node)
  end

  before_each(function()
    redis = redis_server.start()
    redis:cli("HSET", "p:epoch", "id", "e", "floor", "0")
    alive("a", 100)
    alive("b", 100)
    alive("dead", -1)
  end)

  -- The items of the answer, joined by spaces.
  local function run(name, node, ...)
    local text = read "epoch" .. read "watermark" .. read("watermark_" .. name)
    local rules = node:match "/(%d)$" or "1"
    return (redis:cli("EVAL", text, 1, "p", "e", node:match "^%a+", "chat", "read", rules, ...):gsub("\n", " "))
  end

  local function tab(node, what, tag, peer, here)
    return run("tab", node, what, "ann", tag, peer or "", "", "", here or "")
  end
  local function raise(node, row, why, known)
    return run("raise", node, why or "open", "ann", "bob", row, known or "")
  end
  local function posted(node, row, how)
    return run("posted", node, "ann", "bob", row, how or "told", "1000", "30000", "0.5")
  end
  local function due(node) return run("due", node):match "^e%s*(.-)%s*$" end
  local function shown(tag) return redis:cli("HGET", KEY .. "tabs:ann", tag) end

  -- Everything that is pending is due.
  local function pass()
    redis:cli("ZADD", KEY .. "pending", "XX", 1, "3:ann:bob")
    redis:cli("HDEL", KEY .. "row:3:ann:bob", "due")
  end

  describe("a row", function()
    it("is told by one node at a time, the highest only, and never again", function()
      assert.equal("post 5", (raise("a", 5):match "^(.-)%s*$"))
      assert.equal("waits", (raise("b", 7):match "^(.-)%s*$"))
      assert.equal("mine", (raise("a", 6):match "^(.-)%s*$"))
      assert.equal("post 7", (posted("a", 5):match "^(.-)%s*$"))
      assert.equal("waits 5", raise("b", 7))
      assert.equal("done", posted("a", 7))
      assert.equal("told 7", raise("b", 7))
      assert.equal("told 7", raise("a", 3))
      assert.equal("0", redis:cli("ZCARD", KEY .. "pending"))
      assert.equal("7 7", run("row", "b", "ann", "bob"))
    end)

    it("is compared as a number", function()
      raise("a", 9)
      posted("a", 9)
      assert.equal("post 10", (raise("a", 10):match "^(.-)%s*$"))
      assert.equal("post 10.5", (run("raise", "a", "open", "ann", "cleo", "10.5", "9"):match "^(.-)%s*$"))
    end)

    it("is not lower than what who raises it knows to be told", function()
      assert.equal("told 9", raise("a", 5, "open", 9))
      assert.equal("told 9", raise("b", 8))
    end)

    it("only rises on an event while a tab shows the peer", function()
      assert.equal("closed", raise("a", 5, "advance"))
      tab("b", "open", "tab", "bob", "here")
      assert.equal("post 5", (raise("a", 5, "advance"):match "^(.-)%s*$"))
    end)

    it("that failed is told again when it is due, by whoever looks first", function()
      raise("a", 5)
      assert.equal("later", posted("a", 5, "failed"))
      assert.equal("later", (raise("b", 6):match "^(.-)%s*$"))
      assert.equal("", due "b")
      pass()
      assert.equal("ann bob", due "b")
      assert.equal("", due "a")
      assert.equal("post 6", (run("raise", "b", "take", "ann", "bob", "", ""):match "^(.-)%s*$"))
      assert.equal("waits", (run("raise", "a", "take", "ann", "bob", "", ""):match "^(.-)%s*$"))
    end)

    it("waits twice as long after each failure, up to the greatest delay", function()
      local function delay()
        local before = tonumber((redis:cli "TIME":match "^%d+"))
        raise("a", 5)
        posted("a", 5, "failed")
        local after = tonumber(redis:cli("ZSCORE", KEY .. "pending", "3:ann:bob")) / 1000
        redis:cli("HDEL", KEY .. "row:3:ann:bob", "due")
        return after - before
      end
      for _, expected in ipairs { 1, 1.5, 2.5, 4.5, 8.5, 15.5, 15.5 } do
        local seconds = delay()
        assert.is_true(seconds >= expected and seconds <= expected + 1.5, seconds .. " for " .. expected)
      end
    end)

    it("is taken over from a node that died, from earlier rules of the same, and from nobody else", function()
      for _, holder in ipairs { "dead/1", "a/1", "b/1" } do
        redis:cli("DEL", KEY .. "row:3:ann:bob")
        raise(holder, 5)
        pass()
        local taken = { due "a/2", due "a/2" }
        assert.same(holder == "b/1" and { "", "" } or { "ann bob", "" }, taken)
        local how = run("raise", "a/2", "take", "ann", "bob", "", ""):match "^%a+"
        assert.equal(holder == "b/1" and "waits" or "post", how)
      end
    end)

    it("is put before the node that began it, which may have dropped it", function()
      raise("b", 5)
      pass()
      assert.equal("", due "a")
      assert.equal("ann bob", due "b")
      assert.equal("post 5", (run("raise", "b", "take", "ann", "bob", "", ""):match "^(.-)%s*$"))
    end)

    it("is nobody else's business when somebody else tells it by now", function()
      raise("dead", 5)
      raise("a", 6)
      assert.equal("other", posted("dead", 5))
      assert.equal("waits 5", raise("b", 6))
      assert.equal("other", posted("dead", 5, "failed"))
      assert.equal("done", posted("a", 6))
    end)

    it("is given up when its user has been away for ten minutes", function()
      raise("a", 5)
      posted("a", 5, "failed")
      redis:cli("HSET", KEY .. "row:3:ann:bob", "raised", 1)
      tab("b", "connect", "tab")
      pass()
      assert.equal("ann bob", due "a")
      tab("b", "disconnect", "tab")
      pass()
      assert.equal("", due "a")
      assert.equal("0", redis:cli("ZCARD", KEY .. "pending"))
      assert.equal("post 6", (raise("a", 6):match "^(.-)%s*$"))
    end)

    it("that a node knows to be told is known after everything was forgotten", function()
      run("tell", "a", "told", "ann", "bob", 7, "ann", "cleo", 3)
      run("tell", "b", "told", "ann", "bob", 6)
      assert.equal("told 7", raise("b", 7))
      assert.equal("3 3", run("row", "b", "ann", "cleo"))
    end)

    it("that a node knows to be begun is not told by itself, but with what is raised next", function()
      run("tell", "a", "begun", "ann", "bob", 7)
      assert.equal("0", redis:cli("ZCARD", KEY .. "pending"))
      assert.equal("7", (run("row", "b", "ann", "bob"):match "^(.-)%s*$"))
      assert.equal("post 7", (raise("b", 5):match "^(.-)%s*$"))
    end)

    it("that a node knows to be begun is told as long as any, once it was raised", function()
      for _, known in ipairs { "begun", "told" } do
        redis:cli("DEL", KEY .. "row:3:ann:bob", KEY .. "pending")
        if known == "told" then run("tell", "a", "told", "ann", "bob", 4) end
        run("tell", "a", "begun", "ann", "bob", 7)
        raise("dead", 5)
        pass()
        assert.equal("ann bob", due "b")
        assert.equal("post 7", (run("raise", "b", "take", "ann", "bob", "", ""):match "^(.-)%s*$"))
        posted("b", 7, "failed")
        pass()
        assert.equal("ann bob", due "b")
      end
    end)

    it("that failed while the server forgot it is told, if another node knew it", function()
      run("tell", "b", "begun", "ann", "bob", 7)
      assert.equal("later", posted("a", 7, "failed"))
      pass()
      assert.equal("ann bob", due "b")
    end)

    it("that is under way stays so when a node knows a higher one", function()
      raise("dead", 5)
      run("tell", "a", "begun", "ann", "bob", 7)
      pass()
      assert.equal("ann bob", due "b")
    end)

    it("that was given up is raised anew", function()
      raise("a", 5)
      posted("a", 5, "failed")
      redis:cli("HSET", KEY .. "row:3:ann:bob", "raised", 1)
      pass()
      assert.equal("", due "b")
      assert.equal("post 5", (raise("dead", 5):match "^(.-)%s*$"))
      pass()
      assert.equal("ann bob", due "b")
    end)

    it("is known to the two others that were heard of last before it is told", function()
      local heard = proc.spawn({ "redis-cli", "-s", redis.socket, "PSUBSCRIBE", "p:node:*" }, {})
      wait.wait_until(function() return heard:output():find "psubscribe" end, 5, "to listen")
      local function letters()
        redis:cli("PUBLISH", "p:node:end", "end")
        local text = wait.wait_until(function() return heard:output():match "^(.*p:node:end\n)" end, 5, "the letters")
        local to = {}
        for node, letter in text:gmatch "p:node:(%a+)\n(row [^\n]*)\n" do to[#to + 1] = node .. " " .. letter end
        table.sort(to)
        return to
      end
      alive("c", 99)
      alive("d", 98)
      raise("a", 5)
      alive("a", 1)
      run("raise", "a", "open", "ann", "cleo", 10.5, "")
      local bob  = "row 4:chat,38:\0watermark:read:shared:begun:3:ann:bob,1:5,"
      local cleo = "row 4:chat,39:\0watermark:read:shared:begun:3:ann:cleo,4:10.5,"
      assert.same({ "b " .. bob, "b " .. cleo, "c " .. bob, "c " .. cleo }, letters())
      heard:kill()
    end)

    it("may be about names of any bytes", function()
      redis:cli("EVAL", read "epoch" .. read "watermark" .. [[
        return redis.call("HSET", base .. "row:" .. name_of("a\0n", "b\0b"), "row", "1") ]],
        1, "p", "e", "a", "chat", "read", "1")
      assert.equal("1", redis:cli("EVAL", [[return redis.call("EXISTS", KEYS[1] .. "3:a\0n:b\0b")]], 1, KEY .. "row:"))
    end)
  end)

  describe("a tab", function()
    it("without a stream counts for half a minute, and one with it as long as its node lives", function()
      tab("a", "open", "tab", "bob")
      assert.matches("^%- %d+ bob$", shown "tab")
      assert.equal("bob", tab("b", "connect", "tab"))
      assert.equal("b 0 bob", shown "tab")
      alive("b", -1)
      assert.equal("closed", raise("a", 5, "advance"))
      assert.equal("", shown "tab")
    end)

    it("is forgotten without a stream when its time is over", function()
      redis:cli("HSET", KEY .. "tabs:ann", "tab", "- 1 bob")
      assert.equal("closed", raise("a", 5, "advance"))
      assert.equal("", shown "tab")
    end)

    it("that came again elsewhere is not closed by the end of its first stream", function()
      tab("a", "open", "tab", "bob", "here")
      tab("b", "connect", "tab")
      tab("a", "disconnect", "tab")
      assert.equal("b 0 bob", shown "tab")
    end)

    it("shows what was said last, on whatever node; its own hears of it", function()
      tab("a", "connect", "tab", "cleo") -- which it had kept while the server forgot it
      assert.equal("a 0 cleo", shown "tab")
      tab("b", "open", "tab", "bob")
      assert.equal("bob", tab("a", "connect", "tab", "cleo"))
      assert.equal("ann tab bob", due "a")
      assert.equal("bob", tab("b", "close", "tab", "cleo"))
      tab("b", "close", "tab")
      assert.equal("ann tab", due "a")
      assert.equal("a 0 ", shown "tab")
    end)

    it("without a stream is one of 64: the one goes whose time ends first", function()
      tab("a", "connect", "lives", "bob")
      for i = 1, 64 do tab("a", "open", "tab" .. i, "bob") end
      local until_ms = tonumber(shown("tab7"):match " (%d+) ") - 20000
      redis:cli("HSET", KEY .. "tabs:ann", "tab7", ("- %.0f bob"):format(until_ms))
      tab("a", "open", "another", "bob")
      assert.equal("65", redis:cli("HLEN", KEY .. "tabs:ann"))
      assert.equal("", shown "tab7")
      assert.equal("a 0 bob", shown "lives")
    end)
  end)

  describe("what is said of a user", function()
    local peers = 0
    local function who(node)
      peers = peers + 1
      return run("raise", node, "open", "ann", "peer" .. peers, 1, ""):match "^post 1 ?(.-)%s*$"
    end

    it("is the newest, and says of which stream where that is here", function()
      run("tab", "a", "connect", "ann", "one", "", "{1}", "4", "")
      assert.equal("", who "a") -- nothing was opened
      run("tab", "a", "open", "ann", "one", "bob", "{2}", "", "here")
      assert.equal("{2}", who "a")
      run("tab", "b", "connect", "ann", "two", "", "{3}", "9", "")
      assert.equal("{3} 9", who "b")
      assert.equal("{3}", who "a")
    end)
  end)

  it("do nothing in another epoch", function()
    redis:cli("HSET", "p:epoch", "id", "f")
    local ok, why = pcall(raise, "a", 5)
    assert.is_false(ok)
    assert.matches("EPOCH", why)
    assert.equal("0", redis:cli("EXISTS", KEY .. "row:3:ann:bob"))
  end)
end)

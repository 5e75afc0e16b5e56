local sse = require "spec.support.sse"

-- Feeds `text` in pieces of `size` bytes and returns what the parser made of it.
local function parse(text, size)
  local seen = { events = {}, comments = {} }
  local feed, last_id = sse.parser {
    event   = function(event) table.insert(seen.events, { event.type, event.data, event.id }) end,
    comment = function(comment) table.insert(seen.comments, comment) end,
    retry   = function(ms) seen.retry = ms end,
  }
  for at = 1, #text, size do feed(text:sub(at, at + size - 1)) end
  seen.last_id = last_id()
  return seen
end

describe("the specs' EventSource parser", function()
  local text = "\239\187\191: hello\nretry: 30\nevent: a\ndata: one\ndata:two\nid: 7\n\n"
    .. "data\r\rdata:  x\r\n\r\nevent: none\n\nid\ndata: y\n\nid: a\0b\nretry: soon\ndata: z\n\ndata: lost"

  it("reads the same in pieces of any size", function()
    for size = 1, #text do
      local seen = parse(text, size)
      assert.same({
        { "a", "one\ntwo", "7" },
        { "message", "", "7" },
        { "message", " x", "7" },
        { "message", "y", "" },
        { "message", "z", "" },
      }, seen.events)
      assert.same({ " hello" }, seen.comments)
      assert.equal(30, seen.retry)
    end
  end)

  it("moves the last id at a block without data", function()
    local seen = parse("id: 9\n\n", 100)
    assert.same({}, seen.events)
    assert.equal("9", seen.last_id)
  end)

  it("does not count an id whose block has not ended", function()
    assert.equal("1", parse("id: 1\ndata: a\n\nid: 2\ndata: b\n", 100).last_id)
  end)
end)

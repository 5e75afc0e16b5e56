local layers = require "spec.support.layers"
local tree   = require "spec.support.tree"

-- One file that breaks the table, and the sentence that says so.
local function complaint(path, text)
  local all = layers.complaints { [path] = text }
  assert.equal(1, #all)
  return all[1]
end

describe("the floors of core/", function()
  it("stand as the table says", function()
    local sources = {}
    for _, path in ipairs(tree.files("core", { c = true, h = true })) do
      sources[path] = tree.read(path)
    end
    assert.is_truthy(next(sources))
    assert.equal("", table.concat(layers.complaints(sources), "\n"))
  end)
end)

describe("the table", function()
  it("allows a folder itself and what lies below", function()
    assert.same({}, layers.complaints {
      ["core/hub/topic.c"]    = '#include "hub/topic.h"\n#include "event/frame.h"\n#include <string.h>\n',
      ["core/script/vm.c"]    = '#include "engine/attach.h"\n#include <lua.h>\n',
      ["core/server/main.c"]  = '#include "peers/fetch.h"\n#include <ev.h>\n#include <unistd.h>\n',
    })
  end)

  it("refuses an include upward", function()
    assert.equal('core/hub/topic.c: hub/ may not include engine/, and "engine/route.h" is there',
                 complaint("core/hub/topic.c", 'int x;\n#include "engine/route.h"\n'))
  end)

  it("refuses an include sideways", function()
    assert.matches("upstream/ may not include hub/", complaint("core/upstream/link.c", '#include "hub/topic.h"'))
    assert.matches("http/ may not include peers/", complaint("core/http/conn.c", '#include "peers/fetch.h"'))
    assert.matches("rig/ may not include http/", complaint("core/rig/world.c", '#include "http/conn.h"'))
    assert.matches("script/ may not include loop/", complaint("core/script/vm.c", '# include "loop/loop.h"'))
  end)

  it("keeps the outside from the pure floors", function()
    assert.matches("pure floor knows no <unistd.h>", complaint("core/hub/queue.c", "#include <unistd.h>"))
    assert.matches("pure floor knows no <time.h>", complaint("core/base/log.c", "#include <time.h>"))
    assert.matches("<ev.h> belongs to loop", complaint("core/http/conn.c", "#include <ev.h>"))
    assert.matches("<lua.h> belongs to script", complaint("core/server/main.c", "#include <lua.h>"))
    assert.matches("<curl/curl.h> belongs to peers", complaint("core/loop/timer.c", "#include <curl/curl.h>"))
    assert.matches("<llhttp.h> belongs to http", complaint("core/peers/fetch.c", "#include <llhttp.h>"))
  end)

  it("refuses what stands nowhere", function()
    assert.matches("stands on no floor", complaint("core/common.h", ""))
    assert.matches("stands on no floor", complaint("core/util/misc.c", ""))
    assert.matches("headers only", complaint("core/ports/clock.c", ""))
    assert.matches('not of the form "folder/room.h"', complaint("core/hub/topic.c", '#include "topic.h"'))
  end)

  it("bounds the length of a unit and the readers of a header", function()
    assert.same({}, layers.complaints { ["core/hub/topic.c"] = ("\n"):rep(500) })
    assert.matches("501 lines", complaint("core/hub/topic.c", ("\n"):rep(501)))

    local sources = {}
    for i = 1, 15 do
      sources["core/hub/room" .. i .. ".c"] = '#include "hub/topic.h"\n#include "base/buf.h"\n'
    end
    assert.same({}, layers.complaints(sources))
    sources["core/hub/room16.c"] = '#include "hub/topic.h"\n#include "base/buf.h"\n'
    assert.same({ "core/hub/topic.h: included by 16 units, 15 at most" }, layers.complaints(sources))
  end)
end)

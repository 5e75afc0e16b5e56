-- sluice.json: texts to values and back, within bounds.

local rules = require "spec.support.rules"

describe("json", function()
  local world

  after_each(function() world:close() end)

  -- What the body returns, which knows `json`.
  local function run(body)
    if world then world:close() end
    world = rules.route(body, 'local json = require "sluice.json"')
    local answer = world:request("POST", "/run", {})
    assert.equal(200, answer.status, world:log())
    return answer.body
  end

  local function fails(body)
    if world then world:close() end
    world = rules.route(body, 'local json = require "sluice.json"')
    assert.equal(500, world:request("POST", "/run", {}).status)
    return (world:log())
  end

  before_each(function() world = nil end)

  it("writes plain values", function()
    assert.equal('["a",1,-0.5,true,false,null]',
      run [[ return 200, json.encode { "a", 1, -0.5, true, false, json.null } ]])
    assert.equal('{"k":{"l":[1,2]}}', run [[ return 200, json.encode { k = { l = { 1, 2 } } } ]])
    assert.equal('"text"', run [[ return 200, json.encode "text" ]])
  end)

  it("escapes what JSON does not take as it is", function()
    assert.equal([["\"\\\n\r\t\u0000\u001f/é"]], run [[ return 200, json.encode "\"\\\n\r\t\0\31/é" ]])
  end)

  it("tells an empty object from an empty list", function()
    assert.equal('{"a":{},"b":[],"c":[1]}',
      run [[
        local parts = {}
        for _, one in ipairs { { "a", {} }, { "b", json.list {} }, { "c", json.list { 1 } } } do
          parts[#parts + 1] = json.encode(one[1]) .. ":" .. json.encode(one[2])
        end
        return 200, "{" .. table.concat(parts, ",") .. "}"
      ]])
  end)

  it("reads an empty list as one, so that what is passed on is what came", function()
    local function passed(text)
      return run(("return 200, json.encode(json.decode %q) .. ''"):format(text))
    end
    for _, text in ipairs { "[]", "[[]]", '{"a":[],"b":{},"c":[[],{}]}', '["[]"]', '["\\"[]","a",[]]', '[{}]',
                            '{"[]":["\\\\",[]]}', '[[],"\\u00ff",[1,[]]]' } do
      assert.equal((text:gsub("\\u00ff", "\195\191")), passed(text))
    end
    assert.equal('{"a":[],"b":[[],1]}', passed '{"b": [[ ], 1], "a": [\n\t\r ]}')
    assert.equal('{"a":[],"b":{}}', run [[ return 200, json.encode(json.copy(json.decode '{"a":[],"b":{}}')) ]])
    assert.equal('{"a":1}', run [[ local t = json.decode "[]" t.a = 1 return 200, json.encode(t) ]])
    for _, text in ipairs { "{[]:1}", "[][]", '"a"[]', "[]]", "[[]", "[,[]]" } do
      assert.equal("bad_json", run(("return 200, (select(2, json.decode %q))"):format(text)), text)
    end
    assert.equal("[\"\239\191\189\",{}]", passed "[\"\255\",[]]")         -- no UTF-8, and so no JSON
  end)

  it("writes an object's fields in the order of their names, which is the same in every VM", function()
    for _ = 1, 4 do
      assert.equal('{"-1":0,"1.5":0,"":0,"B":1,"a":1,"aa":1,"authorization":1,"cookie":1,"x":{"y":1,"z":2},"é":1}',
        run [[ return 200, json.encode { ["é"] = 1, aa = 1, x = { z = 2, y = 1 }, cookie = 1, a = 1, B = 1, [""] = 0,
                 [1.5] = 0, authorization = 1, [-1] = 0 } ]])
    end
    assert.equal("true", run [[
      local many, names = {}, {}
      for i = 1, 500 do many["k" .. i] = i names[i] = ("%q:%d"):format("k" .. i, i) end
      table.sort(names)
      return 200, tostring(json.encode(many) == "{" .. table.concat(names, ",") .. "}")
    ]])
  end)

  it("fills a list's holes with null", function()
    assert.equal("[1,null,3]", run [[ return 200, json.encode { [1] = 1, [3] = 3 } ]])
  end)

  it("writes numbers so that they come back as they were", function()
    assert.equal("true", run [[
      for _, number in ipairs { 0.1, 1/3, 1e100, 1800000000000001, 2^53, -2^53, 1e-7, 123456.789 } do
        if json.decode(json.encode(number)) ~= number then return 200, json.encode(number) end
      end
      return 200, "true"
    ]])
    assert.equal("1800000000000001 9007199254740992 0.1", run [[
      return 200, json.encode(1800000000000001) .. " " .. json.encode(2^53) .. " " .. json.encode(0.1)
    ]])
  end)

  it("reads values; null is json.null, which is true as a condition", function()
    assert.equal("1 b true true true", run [[
      local value = json.decode '{"a":[1,"b",null],"c":null}'
      return 200, ("%s %s %s %s %s"):format(value.a[1], value.a[2], tostring(value.a[3] == json.null),
        tostring(value.c == json.null), tostring(json.decode "null" == json.null))
    ]])
  end)

  it("says what is wrong with a text that is none, and does not raise", function()
    for _, text in ipairs { "", "{", "nonsense", "[1,]", "{'a':1}", "[1] 2", "NaN", "0x10" } do
      local said = run(([[
        local value, code, why = json.decode(%q)
        return 200, tostring(value) .. " " .. code .. " " .. type(why)
      ]]):format(text))
      assert.equal("nil bad_json string", said)
    end
  end)

  it("raises for what is no plain data", function()
    assert.truthy(fails([[ json.encode { f = print } ]]):find("plain data only, not a function", 1, true))
    assert.truthy(fails([[ json.encode(req) ]]):find("plain data only, not a handle", 1, true))
    assert.truthy(fails([[ json.encode { 0/0 } ]]):find("JSON has no number for", 1, true))
    assert.truthy(fails([[ json.encode { [{}] = 1 } ]]):find("a key that is a table", 1, true))
    assert.truthy(fails([[ json.decode(5) ]]):find("expected a text, got 5", 1, true))
    assert.truthy(fails([[ json.list "x" ]]):find("expected a table", 1, true))
  end)

  it("is bounded in depth, values and holes", function()
    assert.truthy(fails([[ local t = {} t.t = t json.encode(t) ]]):find("nested deeper than 32", 1, true))
    assert.truthy(fails([[
      local t = { "x" }
      for _ = 1, 30 do t = { t, t } end
      json.encode(t)
    ]]):find("more than 200000 values", 1, true))
    assert.truthy(fails([[ json.encode { [1] = 1, [1000000] = 2 } ]]):find("too many holes", 1, true))
    assert.equal("nil bad_json", run [[
      local value, code = json.decode(("["):rep(40) .. ("]"):rep(40))
      return 200, tostring(value) .. " " .. code
    ]])
  end)

  it("copies: what is changed in the copy is not changed in the original", function()
    assert.equal("1 2", run [[
      local value = { a = { b = 1 } }
      local copy = json.copy(value)
      copy.a.b = 2
      return 200, value.a.b .. " " .. copy.a.b
    ]])
  end)

  it("says the nearest name of a function that it has not", function()
    assert.truthy(fails([[ json.encod {} ]]):find("did you mean 'encode'?", 1, true))
  end)
end)

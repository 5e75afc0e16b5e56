-- sluice.uri_template: which texts a template stands for, and what finding out costs.

local rules = require "spec.support.rules"
local seen  = require "spec.support.seen"

local TEXT = [[
local uri_template = require "sluice.uri_template"
app:route("match", "POST /match", { run = function(req)
  local asked = req:json()
  local template, code, why = uri_template.new(asked.template)
  if not template then return { json = { code = code, why = why } } end
  local said = {}
  for i, text in ipairs(asked.texts) do said[i] = template:match(text) end
  return { json = { said = said, expressions = template.expressions } }
end })
app:route("wrong", "POST /wrong/{what}", { run = function(req, params)
  local template = uri_template.new "a{b}"
  if params.what == "new" then uri_template.new(7)
  elseif params.what == "match" then template:match(nil)
  else return 200, tostring(template.matches) end
  return 204
end })
]]

-- An expander of its own: RFC 6570, 3.2.1.
local OPERATORS = {
  [""] = { "", "," }, ["+"] = { "", ",", false, true }, ["#"] = { "#", ",", false, true }, ["."] = { ".", "." },
  ["/"] = { "/", "/" }, [";"] = { ";", ";", true }, ["?"] = { "?", "&", true }, ["&"] = { "&", "&", true },
}

local function encoded(value, reserved)
  return (value:gsub(reserved and "[^%w%-._~:/?#%[%]@!$&'()*+,;=]" or "[^%w%-._~]", function(char)
    return ("%%%02X"):format(char:byte())
  end))
end

local function expanded(sign, variables)
  local first, separator, named, reserved = unpack(OPERATORS[sign])
  local pieces = {}
  for _, variable in ipairs(variables) do
    if variable.values then
      local list = {}
      for i, value in ipairs(variable.values) do
        list[i] = encoded(value, reserved)
        if variable.exploded and named then list[i] = variable.name .. "=" .. list[i] end
      end
      local text = table.concat(list, variable.exploded and separator or ",")
      if named and not variable.exploded then text = variable.name .. "=" .. text end
      pieces[#pieces + 1] = text
    end
  end
  return #pieces > 0 and first .. table.concat(pieces, separator) or ""
end

describe("a URI template", function()
  local world

  before_each(function() world = rules.load(TEXT) end)
  after_each(function() seen.close(world) end)

  local function asked(template, ...)
    local answer = world:request("POST", "/match", { json = { template = template, texts = { ... } } })
    assert.equal(200, answer.status, world:log())
    return answer.json
  end

  local function check(template, good, bad)
    for i, said in ipairs(#good > 0 and asked(template, unpack(good)).said or {}) do
      assert.is_true(said, template .. " does not match " .. good[i])
    end
    for i, said in ipairs(#bad > 0 and asked(template, unpack(bad)).said or {}) do
      assert.is_false(said, template .. " matches " .. bad[i])
    end
  end

  it("without expressions stands for itself alone", function()
    check("https://example.com/a%20b", { "https://example.com/a%20b" }, { "https://example.com/a%20", "", "x" })
    assert.equal(0, asked("a", "a").expressions)
  end)

  it("takes a value of unreserved characters and what is percent-encoded", function()
    check("https://example.com/books/{id}", {
      "https://example.com/books/1", "https://example.com/books/", "https://example.com/books/a-b._~%C3%A9",
      "https://example.com/books/1,2",
    }, {
      "https://example.com/books/1/2", "https://example.com/books/1?a", "https://example.com/books/%zz", "books/1",
      "https://example.com/books/a b", "https://example.com/books/é", "https://example.com/books/a%4",
      "https://example.com/books/a=b", "xhttps://example.com/books/1", "https://example.com/books/1\n",
    })
  end)

  it("takes reserved characters where its operator says so", function()
    check("a/{+path}/z", { "a/b/c/z", "a//z", "a/?x=[1]&y#z/z" }, { "a/z", "a/b c/z", "a/{}/z" })
    check("a{#part}", { "a", "a#", "a#b/c?d" }, { "ab", "a##\"" })
  end)

  it("takes as many values as it has variables", function()
    check("{/a}", { "", "/", "/x" }, { "x", "/x/y", "//" })
    check("{/a,b}", { "", "/x", "/x/y" }, { "/x/y/z" })
    check("{/a*}", { "", "/x", "/x/y/z/k=v" }, { "x" })
    check("{?q,page}", { "", "?q=1", "?q=1&page=2", "?page=2", "?q=&page=" }, { "?q=1&page=2&more=3", "q=1", "?" })
    check("a{&q*}", { "a", "a&q=1&r=2&s=3" }, { "a?q=1" })
    check("{;x,y}", { ";x=1;y", "", ";y", ";x" }, { ";x;y;z" })
    check("file{.ext}", { "file", "file.txt", "file.tar.gz" }, { "filetxt", "file.a/b" })
    check("{x,y}", { "1,2", "1,2,3", "" }, { "1;2" })
  end)

  it("finds the split between expressions that allow several", function()
    check("{a}{b}-{c}", { "x-y", "--", "a-b-c" }, { "xy", "" })
    check("{a}/{b}/{c}", { "1/2/3", "//" }, { "1/2", "1/2/3/4" })
    check("{+a}x{+b}x{c}", { "axbxc", "xx", "x/x/x" }, { "axb", "xx/" })
    check("/hub/subscriptions{/topic}{/subscriber}", { "/hub/subscriptions", "/hub/subscriptions/a%2Fb/urn%3Ax" },
      { "/hub/subscriptions/a/b/c", "/hub/subscription" })
  end)

  it("keeps the least number of separators with which a place is reached", function()
    -- `&` ends the first and begins the second, or stands between values: both ways must be known
    check("{?a}{&b,c}", { "?a=1&b=2&c=3", "&b=1&c=2", "?a=" }, { "?a=1&b=2&c=3&d=4" })
    check("{/a*}{/b,c}", { "/1/2/3", "/1", "" }, { "1" })
    check("{x,y}-{.a,b}", { "1,2-.a.b" }, { "1;2-.a" })
  end)

  it("has its own names, in their order, where values are named", function()
    check("https://example.com/books{?page}", { "https://example.com/books", "https://example.com/books?page=2" },
      { "https://example.com/books?draft=1", "https://example.com/books?page", "https://example.com/books?pages=2",
        "https://example.com/books?page=2&draft=1", "https://example.com/books?draft=1&page=2" })
    check("{?a,b}", { "?b=2", "?a=1,2&b=%C3%A9" }, { "?b=2&a=1", "?a=1&a=2", "?a=1b=2", "?a=1&", "?a=%4", "&b=2" })
    check("x?fixed=1{&a}", { "x?fixed=1", "x?fixed=1&a=2" }, { "x?fixed=1&b=2", "x?fixed=1&a", "x?fixed=1&ab=2" })
    check("{;a,b}", { ";a;b=2", ";b" }, { ";b;a", ";ab", ";c", ";a=1;a=2" })
    check("{?a*}", { "?a=1&a=2", "?k=v&l=w" }, { "a=1" })
    check("{?a:3}", { "?a=1" }, { "?b=1" })
    assert.equal(5, asked("{?a,b}{c}{&d,e*}{;f}", "").expressions)
    assert.equal("bad_template", asked("{?" .. ("a,"):rep(32) .. "a}", "").code)
  end)

  it("is none where RFC 6570 says so", function()
    for _, bad in ipairs { "{", "}", "a{b", "{}", "{,}", "{a,}", "{=a}", "{|a}", "{a:0}", "{a:12345}", "{a**}", "{a b}",
                           "{a.}", "{%}", "a b", "a%", "a%zz", "<a>", "a\\b", "{{a}}", "{a..b}", "{é}" } do
      local answer = asked(bad, "")
      assert.equal("bad_template", answer.code, bad)
    end
    for _, good in ipairs { "{a.b}", "{a_1}", "{%41b}", "{a:9999}", "{+a*,b:3}", "é{a}" } do
      assert.is_nil(asked(good, "").code, good)
    end
  end)

  it("matches what it is expanded to, whatever that is", function()
    math.randomseed(20261126)
    local characters, signs = { "a", "Z", "9", "-", ".", "/", "?", "&", "=", ",", "é", " ", "%", ";" }, {}
    for sign in pairs(OPERATORS) do signs[#signs + 1] = sign end
    table.sort(signs)
    local function word()
      local chars = {}
      for i = 1, math.random(0, 6) do chars[i] = characters[math.random(#characters)] end
      return table.concat(chars)
    end
    for _ = 1, 400 do
      local template, text = "x:", "x:"
      for part = 1, math.random(4) do
        local sign, variables, names = signs[math.random(#signs)], {}, {}
        for i = 1, math.random(3) do
          local variable = { name = "v" .. part .. i, exploded = math.random() < 0.3, values = { word() } }
          for more = 2, math.random(3) do variable.values[more] = word() end
          if math.random() < 0.2 then variable.values = nil end
          variables[i], names[i] = variable, variable.name .. (variable.exploded and "*" or "")
        end
        template = template .. "{" .. sign .. table.concat(names, ",") .. "}"
        text     = text .. expanded(sign, variables)
        if math.random() < 0.5 then template, text = template .. "-l", text .. "-l" end
      end
      check(template, { text }, { text .. " ", "y" .. text })
    end
  end)

  it("costs its expressions times the text's length, and no more", function()
    local hard = asked(("{a}{+b}"):rep(16) .. "!", ("a"):rep(2000))
    assert.same({ false }, hard.said) -- it ended within its slice
    assert.equal(32, hard.expressions)
    hard = asked(("{;a,a}"):rep(16), (";a=" .. ("a"):rep(50)):rep(60) .. "!")
    assert.same({ false }, hard.said)
    assert.equal("bad_template", asked(("{a}"):rep(33), "").code)
    assert.equal("bad_template", asked(("a"):rep(2049), "").code)
    assert.truthy(asked(("{a}"):rep(33), "").why:find("32 expressions", 1, true))
  end)

  it("says how it is misused", function()
    for what, words in pairs { new = "uri_template.new: expected a text, got 7",
                               match = "template:match: expected a text, got nil",
                               field = "a URI template has no 'matches'; did you mean 'match'?" } do
      assert.equal(500, world:request("POST", "/wrong/" .. what).status)
      assert.truthy(world:log():find(words, 1, true), words)
    end
  end)
end)

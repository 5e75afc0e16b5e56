-- Random schedules: many runs of random steps, each run from a seed of its own, so that a failure names the seed that
-- makes it again. What steps, and what must hold, is the spec's; here is what all of them need:
--
--   local random = schedules.new { of = "boards", seeds = 60, steps = 250, expected = { "cuts", "late answers" } }
--
--   function acts:cut() random.count "cuts" ... end
--
--   random:run(function(seed)                        -- in an `it`; for each seed
--     local self = { draw = schedules.generator(seed), world = rig.load(...) }
--     random:walk(self, acts, CHOICES, self.draw)    -- the steps
--     ... what must hold ...
--   end)
--
-- A schedule that never meets what it is for proves nothing: how often each fault and overlap occurred is printed, and
-- zero fails. SCHEDULES=n sets how many, SEED=n the first. Fewer than usual may miss something, so they only print.

local schedules = {}

local LOGGED = 20 -- of the newest steps, in a failure

local Random = {}
Random.__index = Random

--- A generator of our own, so that a seed means the same schedule everywhere: draw(n) is a whole number from 1 to n.
function schedules.generator(seed)
  local state = seed * 2654435761 % 4294967296
  return function(below)
    state = (state * 1664525 + 1013904223) % 4294967296
    return math.floor(state / 65536) % below + 1
  end
end

--- Names to draw from: each as often as its weight, a step (a function) once.
function schedules.choices(weights)
  local names = {}
  for name, weight in pairs(weights) do
    for _ = 1, type(weight) == "number" and weight or 1 do names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

--- of: what they are schedules of, for the report. seeds, steps: how many of each, usually. expected: what must occur;
-- without it, all that was ever counted, also as nothing. enough: from how many seeds on it must (default: `seeds`).
function schedules.new(options)
  local happened = {}
  for _, what in ipairs(options.expected or {}) do happened[what] = 0 end
  return setmetatable({
    of = options.of, steps = options.steps, enough = options.enough or options.seeds, expected = options.expected,
    first = tonumber(os.getenv "SEED") or 1, seeds = tonumber(os.getenv "SCHEDULES") or options.seeds,
    happened = happened, log = {},
    --- It occurred: once, so many times, or - false - not this time.
    count = function(what, times)
      if type(times) ~= "number" then times = times == false and 0 or 1 end
      happened[what] = (happened[what] or 0) + times
    end,
  }, Random)
end

--- The steps of one schedule: each is acts[name](schedule), its name drawn from the choices, and after(schedule) what
-- follows each, if anything.
function Random:walk(schedule, acts, choices, draw, after)
  for i = 1, self.steps do
    local name = choices[draw(#choices)]
    self.log[i] = name
    acts[name](schedule)
    if after then after(schedule) end
  end
end

-- Where it was: the newest steps, the last of them the one that failed or was the last of all.
local function way(random)
  local log = random.log
  return ("step %d of %d (%s%s)"):format(#log, random.steps, #log > LOGGED and "... " or "",
    table.concat(log, " ", math.max(1, #log - LOGGED + 1)))
end

-- luassert raises tables.
local function explained(fault)
  return debug.traceback(tostring(type(fault) == "table" and fault.message or fault), 2)
end

local function set_of(list)
  local set = {}
  for _, item in ipairs(list) do set[item] = true end
  return set
end

local function report(random)
  local lines, never = {}, {}
  for what, times in pairs(random.happened) do lines[#lines + 1] = ("%-42s %d"):format(what, times) end
  table.sort(lines)
  print(("\n%d schedules of %s, of %d steps:\n  %s"):format(random.seeds, random.of, random.steps,
    table.concat(lines, "\n  ")))
  for what in pairs(random.expected and set_of(random.expected) or random.happened) do
    if random.happened[what] == 0 then never[#never + 1] = what end
  end
  table.sort(never)
  assert(random.seeds < random.enough or #never == 0, "never occurred: " .. table.concat(never, "; "))
end

--- Runs run(seed) for each seed. The first that fails ends it, with its seed and its newest steps.
function Random:run(run)
  for seed = self.first, self.first + self.seeds - 1 do
    self.log = {}
    local good, fault = xpcall(run, explained, seed)
    if not good then error(("SEED=%d, %s: %s"):format(seed, way(self), fault), 0) end
  end
  report(self)
end

return schedules

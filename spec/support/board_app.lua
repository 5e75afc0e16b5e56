-- The boards' app, as rules/board.lua asks it: who is it, and who may read a project.

local board_app = {}

--- Answers for the app in a world of rules/board.lua.
-- @param members { project = { user = true } }, looked at when it is asked; a test changes it as it goes
-- @return the users of each question about readers, as they come: { project, user, user, ... } in order
function board_app.serve(world, members)
  local asked = {}
  world:reply("GET /api/session", function(request)
    local user = (request.headers.cookie or ""):match "board=(%w+)"
    return user and { json = { user = user } } or { status = 401 }
  end)
  world:reply("POST /api/readers", function(request)
    table.sort(request.json.users)
    asked[#asked + 1] = { request.json.project, unpack(request.json.users) }
    return board_app.answer(request, members)
  end)
  return asked
end

--- What the app says to a question about readers.
function board_app.answer(request, members)
  local list = {}
  for _, user in ipairs(request.json.users) do
    if (members[request.json.project] or {})[user] then list[#list + 1] = user end
  end
  return #list > 0 and { json = { readers = list } } or { body = '{"readers":[]}' }
end

--- The path of a stream with these boards.
function board_app.path(projects)
  local query = {}
  for i, project in ipairs(projects) do query[i] = "topic=project-board." .. project end
  return "/events?" .. table.concat(query, "&")
end

return board_app

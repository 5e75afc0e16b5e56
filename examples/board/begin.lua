-- examples/board/begin.lua: the boards that there are in the beginning.
local store = require "sluice.store"

local BOARDS = {
  { project = "1", name = "Website relaunch", owner = "ann", members = { "ann", "bob" }, columns = {
    { "To do", "Photos of the new workshop", "Cookie notice that is true", "Redirects from the old shop" },
    { "Doing", "Opening hours, also for screen readers", "Price list as a table" },
    { "Review", "Contact form" },
    { "Done", "Choose a typeface", "Move the DNS" },
  }, links = { { 1, 6 }, { 4, 5 } } },
  { project = "2", name = "Garden party", owner = "ann", members = { "ann", "bob", "cleo" }, columns = {
    { "Ideas", "Lanterns in the plum tree", "Ask Femi for the accordion" },
    { "Somebody does it", "Tables from the parish hall", "Lemonade, forty litres" },
    { "Done", "Tell the neighbours" },
  }, links = {} },
  { project = "3", name = "Ann's thesis", owner = "ann", members = { "ann" }, columns = {
    { "Read", "Hollis 2011", "Brandt and Oyelaran" },
    { "Write", "Chapter two", "The map" },
    { "With my supervisor", "Chapter one" },
  }, links = {} },
  { project = "4", name = "Boat house", owner = "bob", members = { "bob", "dag" }, columns = {
    { "Broken", "Winch", "Left door" },
    { "Ordered", "Hinges" },
    { "Mended", "Roof" },
  }, links = {} },
}

local function add(board)
  local project, cards = { version = 1 }, {}
  for _, field in ipairs { "project", "name", "owner", "members" } do project[field] = board[field] end
  project.columns = {}
  for place, titles in ipairs(board.columns) do
    local column = { column = ("c%d"):format(store.increment "columns"), name = titles[1], cards = {} }
    store.set("column:" .. column.column, board.project)
    for i = 2, #titles do
      local card = { card = ("k%d"):format(store.increment "cards"), title = titles[i], links = {} }
      store.set("card:" .. card.card, board.project)
      column.cards[#column.cards + 1] = card
      cards[#cards + 1] = card
    end
    project.columns[place] = column
  end
  for _, link in ipairs(board.links) do
    local one, other = cards[link[1]], cards[link[2]]
    one.links[#one.links + 1] = other.card
    other.links[#other.links + 1] = one.card
  end
  store.set("project:" .. board.project, project)
end

return function()
  if not store.add("begun", true) then return end
  for _, board in ipairs(BOARDS) do add(board) end
end

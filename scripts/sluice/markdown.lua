--- Texts as Markdown (CommonMark, and GFM's tables): whatever they hold, they are shown as they are, and nothing of
-- them becomes a heading, a link, a row or HTML.

local markdown = {}

local function control(c) return ("\\x%02x"):format(c:byte()) end

--- A text as code.
function markdown.code(text)
  text = text:gsub("%c", control)
  local longest = 0
  for run in text:gmatch "`+" do longest = math.max(longest, #run) end
  local fence = ("`"):rep(longest + 1)
  local space = (text:find "^[` ]" or text:find "[` ]$") and " " or "" -- one of each end is not shown
  return fence .. space .. text .. space .. fence
end

--- The same within a table, whose columns end at each '|', code or not.
function markdown.cell(text) return (markdown.code(text):gsub("|", "\\|")) end

local function escape(text)
  return (text:gsub("[\\`*_%[%]<>|~&$#]", "\\%0"):gsub("%c", " "))
end

-- What begins a block only where a line begins.
local function begin(line)
  return (line:gsub("^([-+=])", "\\%1"):gsub("^(%d+)([.)])", "%1\\%2"))
end

--- People's words, as one line.
function markdown.line(text)
  return begin(escape((text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))))
end

--- People's words, as paragraphs: an empty line ends one.
function markdown.prose(text)
  local paragraphs = {}
  for paragraph in (text:gsub("\n[ \t]*\n%s*", "\0") .. "\0"):gmatch "(%Z*)%z" do
    local line = markdown.line(paragraph)
    if line ~= "" then paragraphs[#paragraphs + 1] = line end
  end
  return table.concat(paragraphs, "\n\n")
end

return markdown

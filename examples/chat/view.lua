-- examples/chat/view.lua: the chat page's HTML. Every value is escaped where it enters a template.
local view = {}

local ENTITY = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

local function escape(value)
  return (tostring(value):gsub("[&<>\"']", ENTITY))
end

-- One path segment or query value, as encodeURIComponent writes it.
local function encode(text)
  return (text:gsub("[^%w%-%._~]", function(byte) return ("%%%02X"):format(byte:byte()) end))
end

-- Fills a template: {name} with the value, escaped, {=name} with HTML that was made here.
local function fill(template, values)
  return (template:gsub("{(=?)(%l+)}", function(html, name)
    return html == "=" and values[name] or escape(values[name])
  end))
end

local function each(list, make)
  local parts = {}
  for place, item in ipairs(list) do parts[place] = make(item, list[place - 1]) end
  return table.concat(parts)
end

local function initials(name)
  return (name:gsub("(%a)%S*%s*", "%1"))
end

local function avatar(person)
  return fill('<span class="avatar hue-{hue}" aria-hidden="true">{initials}</span>',
              { hue = person.place, initials = initials(person.name) })
end

-- The page's script writes the reader's local time into it.
local function clock(at)
  return fill('<time datetime="{iso}">{time}</time>',
              { iso = os.date("!%Y-%m-%dT%H:%M:%SZ", at), time = os.date("!%H:%M", at) })
end

local function ticks(state)
  if not state then return "" end
  return fill('<span class="ticks {state}"><span class="unseen">{state}</span></span>', { state = state })
end

local function badge(count)
  if count == 0 then return "" end
  return fill('<span class="badge">{count}<span class="unseen"> unread</span></span>', { count = count })
end

--- Who are you? `people`: a list of { user, name, place }.
function view.login(people)
  return fill([[
<form class="login" hx-post="/login" hx-target="#app">
  <h1>Posta</h1>
  <p>A small chat on one event stream. Pick who you are; another browser, or a private window, can be someone else.</p>
  <ul>{=people}</ul>
</form>
<title>Posta</title>]], {
    people = each(people, function(person)
      return fill([[<li><button name="user" value="{user}">{=avatar}<span>{name}</span></button></li>]],
                  { user = person.user, name = person.name, avatar = avatar(person) })
    end),
  })
end

--- The chat: one stream for all of it. `conversations` and `thread` are HTML.
function view.page(me, conversations, thread)
  return fill([[
<div class="chat" sse-connect="/events">
  <div class="sidebar">
    <header>
      {=avatar}
      <div class="who"><h1>{name}</h1></div>
      <button class="quiet" hx-post="/logout" hx-target="#app" hx-push-url="/">Log out</button>
    </header>
    <nav id="conversations" aria-label="Conversations" hx-get="/ui/conversations"
         hx-trigger="sse:contact-changed, sluice:resync from:body">{=conversations}</nav>
  </div>
  <section id="thread">{=thread}</section>
  <p id="connection" role="status" data-state="connecting">Connecting…</p>
</div>]], { avatar = avatar(me), name = me.name, conversations = conversations, thread = thread })
end

--- The list of conversations. `rows`: { person, last, state, unread }, newest first; `unread` of them all.
function view.conversations(rows, unread)
  return fill([[<ul>{=rows}</ul><title>{unread}Posta</title>]], {
    unread = unread > 0 and ("(%d) "):format(unread) or "",
    rows = each(rows, function(row)
      local person, last = row.person, row.last
      return fill([[
<li><a id="with-{user}" class="row" href="/?with={peer}" data-peer="{url}"
       hx-get="/ui/thread/{peer}" hx-target="#thread" hx-push-url="/?with={peer}">
  {=avatar}
  <span class="name">{name}</span>{=clock}
  <span class="said">{=ticks}{text}</span>{=badge}
</a></li>]], {
        user = person.user, name = person.name, url = person.peer, peer = encode(person.peer),
        avatar = avatar(person),
        clock  = last and clock(last.at) or "",
        ticks  = ticks(row.state),
        text   = last and last.text or "Nothing yet",
        badge  = badge(row.unread),
      })
    end),
  })
end

--- The open thread with a person; `messages` is HTML.
function view.thread(person, messages)
  return fill([[
<header>
  <a class="back" href="/" aria-label="Close the conversation"
     hx-get="/ui/thread" hx-target="#thread" hx-push-url="/"></a>
  {=avatar}
  <div class="who"><h2>{name}</h2><p>{url}</p></div>
</header>
<div class="scroll" tabindex="0" role="region" aria-label="Conversation with {name}">
  <ol id="messages" data-peer="{url}" data-name="{name}" hx-get="/ui/thread/{peer}/messages"
      hx-trigger="sse:thread-updated[detail.data==this.dataset.peer], sluice:resync from:body">{=messages}</ol>
</div>
<form class="composer" hx-post="/ui/thread/{peer}/messages" hx-target="#messages" hx-sync="#messages:replace"
      hx-disabled-elt="find button">
  <label class="unseen" for="text">Message to {name}</label>
  <textarea id="text" name="text" rows="1" maxlength="2000" required placeholder="Message"></textarea>
  <button><span class="unseen">Send</span></button>
</form>]], {
    avatar = avatar(person), name = person.name, url = person.peer, peer = encode(person.peer), messages = messages,
  })
end

--- What stands in the place of a thread when none is open.
function view.nobody()
  return [[<p class="nobody">Pick a conversation</p>]]
end

--- A thread's messages. `list`: { row, text, at, mine, state }, oldest first.
function view.messages(list, person)
  if #list == 0 then return fill('<li class="none">Say hello to {name}.</li>', { name = person.name }) end
  return each(list, function(message, before)
    local follows = before and before.mine == message.mine and message.at - before.at < 300
    return fill([[
<li id="row-{row}" class="message{whose}{follows}" data-row="{row}"><span class="unseen">{from}: </span>{=text}
  <span class="meta">{=clock}{=ticks}</span></li>]], {
      row     = ("%d"):format(message.row),
      whose   = message.mine and " mine" or "",
      follows = follows and " follows" or "",
      from    = message.mine and "You" or person.name,
      text    = fill("<p>{text}</p>", message),
      clock   = clock(message.at),
      ticks   = ticks(message.state),
    })
  end)
end

return view

/*
 * The page: who this tab is, which room it is in, and what it says there. `#studio` in the address is the room.
 */
import { face, make } from './dom.js'
import { Members, Timeline } from './room.js'
import { ask, session, sign_in, sign_out } from './session.js'
import { Stream } from './stream.js'

const at = id => document.getElementById(id)
let rooms = [], room, stream, members, timeline

const STATES = { live: 'Live', lost: 'Reconnecting…', shut: 'This room is not open to you' }

function connection(state) {
  at('connection').dataset.state = state
  at('connection').textContent = STATES[state]
  at('app').dataset.connection = state
  if (state === 'shut') at('timeline').dataset.empty = ''
}

const notice = text => { at('notice').textContent = text }

const NOT_SENT = { // by the answer's status
  429: 'Not so fast: take a breath and send it again.',
  503: 'Nothing can be said at the moment. Send it again in a while.',
}

// ---- rooms ----

function toast(text, id) {
  const link = make('a', { href: `#${id}` }, text)
  at('toasts').append(link)
  setTimeout(() => link.remove(), 12_000)
}

// This person's own channel brings what happened in other rooms, too.
function hear(message) {
  const here = message.channel === `channel:${room.id}`
  if (message.type === 'generation_complete' && !here) {
    const other = rooms.find(one => `channel:${one.id}` === message.channel)
    if (other && stream.settled) toast(`“${message.content}” is ready in ${other.name}`, other.id)
  }
  if (!here) return
  if (message.type === 'chat') timeline.say(message)
  if (message.type === 'presence') members.tell(message)
  if (message.type === 'generation_progress') timeline.progress(message)
  if (message.type === 'generation_complete') timeline.complete(message)
}

function enter() {
  stream?.close()
  members?.close()
  notice('')
  at('toasts').replaceChildren()
  room = rooms.find(one => `#${one.id}` === location.hash) ?? rooms[0]
  document.title = `${room.name} · Rooms`
  at('name').textContent = room.name
  at('about').textContent = room.about
  at('rooms').replaceChildren(...rooms.map(one => make('a', {
    href: `#${one.id}`, 'aria-current': one === room ? 'page' : null,
  }, one.name)))
  members = new Members(at('here'), room.id)
  members.show()
  timeline = new Timeline(at('timeline'), 'Waiting for what was said here…')
  connection('lost')
  const { id } = room
  stream = new Stream(id, {
    begin() {
      timeline = new Timeline(at('timeline'), 'Nothing has been said here for a while.')
      members.read()
    },
    message: hear,
    state: connection,
  })
}

// ---- saying ----

async function send(event) {
  event.preventDefault()
  const content = at('text').value
  if (!content.trim()) return
  const { tag } = stream, shown = timeline
  at('text').value = ''
  notice('')
  const entry = shown.say({ userId: session.user, userName: session.name, content, timestamp: new Date().toISOString() })
  entry.classList.add('unsent')
  const answer = await ask('POST', '/api/chat/messages', { channel: `channel:${room.id}`, content }, tag).catch(() => null)
  entry.classList.remove('unsent')
  if (answer?.ok) return
  entry.remove()
  if (!at('text').value) at('text').value = content
  notice(NOT_SENT[answer?.status] ?? 'That was not sent. Try it again.')
}

async function paint() {
  const title = at('text').value.trim()
  if (!title) return notice('Describe the picture first.')
  notice('')
  const answer = await ask('POST', '/jobs', { room: room.id, title }).catch(() => null)
  if (answer?.ok) at('text').value = ''
  else notice(answer?.status === 429 ? 'The painters are all busy. Try it in a moment.' : 'Nobody paints now. Try it again.')
}

// ---- who ----

function show_login(people) {
  document.body.prepend(make('main', { class: 'login' },
    make('h1', {}, 'Rooms'),
    make('p', {}, 'Talk, see who is there, and watch pictures being painted. Pick who you are; another tab can be somebody else.'),
    make('ul', {}, ...people.map(({ user, name }) => make('li', {},
      make('button', { onclick: () => sign_in(user).then(() => location.reload()) }, face(user, name), name))))))
}

// One of several servers, or none of them: then there is but one.
async function show_node() {
  const { node } = await (await fetch('/node')).json()
  at('node').textContent = node && `Node ${node}`
}

async function start() {
  if (!session.token) return show_login((await (await fetch('/people')).json()).people)
  const answer = await ask('GET', '/rooms')
  if (!answer.ok) throw new Error(`GET /rooms: ${answer.status}`)
  rooms = (await answer.json()).rooms
  show_node().catch(() => {})
  at('app').hidden = false
  at('me').append(face(session.user, session.name), make('span', {}, session.name))
  at('leave').addEventListener('click', () => { stream.close(); sign_out(); location.reload() })
  at('composer').addEventListener('submit', send)
  at('paint').addEventListener('click', paint)
  addEventListener('hashchange', enter)
  enter()
  at('text').focus()
}

start().catch(() => document.body.prepend(make('p', { class: 'empty', role: 'alert' },
  'The server cannot be reached. Load the page again in a moment.')))

/*
 * The page: who is it, which boards are open, and the one event stream that all tabs of this browser share.
 * `#1+3` in the address are the boards that are open.
 */
import { shared } from './client/shared.js'
import { Board } from './board.js'
import { ask, fail, make } from './dom.js'

const bar = document.querySelector('.bar')
const main = document.getElementById('boards')
const list = document.getElementById('projects')
const boards = new Map()
let me, live, projects = []

function connection(state, text) {
  const line = document.getElementById('connection')
  line.dataset.state = state
  line.textContent = text
}

// ---- who ----

async function sign_in(user) {
  await ask(fetch, 'POST', '/login', { user })
  location.reload()
}

// The stream is the user's: it ends for all tabs, before somebody else is signed in.
async function sign_out() {
  await live.end()
  await ask(fetch, 'POST', '/logout')
}

function show_login(people) {
  main.replaceChildren(make('section', { class: 'login' },
    make('h1', {}, 'Boards'),
    make('p', {}, 'Boards that move under your eyes, all of them on one event stream. Pick who you are; a private window can be somebody else.'),
    make('ul', {}, ...people.map(({ user, name }, place) => make('li', {}, make('button', { onclick: () => sign_in(user) },
      make('span', { class: `face hue-${place + 1}`, 'aria-hidden': 'true' }, name.replace(/(\S)\S*\s*/g, '$1')), name))))))
}

// ---- which boards ----

function wanted() {
  return decodeURIComponent(location.hash.slice(1)).split('+').filter(Boolean)
}

function show_boards() {
  for (const [project, board] of boards) if (!wanted().includes(project)) { board.remove(); boards.delete(project) }
  for (const project of wanted()) {
    if (boards.has(project)) continue
    const name = projects.find(one => one.project === project)?.name ?? 'A board'
    boards.set(project, new Board(project, name, live, me, () => toggle(project)))
  }
  const shown = wanted().map(project => boards.get(project).element)
  if (!shown.length) shown.push(make('p', { class: 'empty' }, projects.length ? 'Open a board above.' : 'No board is shared with you.'))
  if (shown.length !== main.children.length || shown.some((element, place) => element !== main.children[place])) {
    main.replaceChildren(...shown)
  }
  show_list()
}

function toggle(project) {
  const open = wanted()
  location.hash = (open.includes(project) ? open.filter(one => one !== project) : [...open, project]).join('+')
}

function show_list() {
  list.replaceChildren(...projects.map(({ project, name }) => make('button', {
    'data-project': project, 'aria-pressed': String(boards.has(project)), onclick: () => toggle(project),
  }, name)))
  document.title = [...boards.values()].map(board => board.name).join(', ') || 'Boards'
}

async function read_list() {
  const answer = await ask(fetch, 'GET', '/projects').catch(() => null)
  if (!answer?.ok) return
  projects = answer.json.projects
  show_boards()
}

// ---- the stream ----

function listen() {
  const of_topics = ({ topics }) => [...boards.values()].filter(board => topics.includes(board.topic))

  live.addEventListener('ready', ({ detail }) => {
    connection('live', 'Live')
    fail('')
    if (detail.resumed) return
    for (const board of of_topics(detail)) board.read()
    if (!detail.topics.length) read_list()
  })
  live.addEventListener('resync', ({ detail }) => {
    for (const board of of_topics(detail)) board.read()
    read_list()
  })
  live.addEventListener('lost', ({ detail }) => {
    if (detail.status === 401) return location.reload()
    connection('lost', 'Reconnecting…')
  })
  live.addEventListener('refused', ({ detail }) => {
    for (const board of of_topics({ topics: [detail.topic] })) board.end(detail.code)
  })
  live.addEventListener('ended', () => location.reload())

  // What concerns this person, and no board that is open.
  live.hear('access.granted', ({ json }) => {
    const board = boards.get(json.project)
    if (board && board.element.dataset.state !== 'live') { board.remove(); boards.delete(json.project) }
    read_list()
  })
  live.hear('access.revoked', ({ json }) => {
    boards.get(json.project)?.end('forbidden')
    read_list()
  })
}

async function start() {
  const { json } = await ask(fetch, 'GET', '/me')
  if (!json.user) return show_login(json.people)
  me = json
  bar.hidden = false
  const leave = document.getElementById('leave')
  leave.textContent = 'Sign out'
  leave.title = me.name
  leave.before(make('span', { class: 'me' }, me.name))
  leave.addEventListener('click', () => sign_out().then(() => location.reload()))

  live = shared('/events', { user: me.user })
  window.live = live // for the curious, and for the tests
  listen()
  await read_list()
  addEventListener('hashchange', show_boards)
  document.addEventListener('renamed', read_list)
}

start().catch(() => fail('The server cannot be reached. Load the page again in a moment.'))

/*
 * The page: who is it, the items, and what happens to them. The list is read when the stream begins and may have missed
 * something; from then on events change it, and nothing is read again.
 */
import { listen } from './feed.js'

const FEED_MAX = 200
const RANKS = { viewer: 1, editor: 2, admin: 3 }
const MODES = { 'read-only': 'Read-only: nothing can be changed now.', maintenance: 'Maintenance: nothing can be changed now.' }

const main = document.querySelector('main')
const items = new Map()
let me, mode, reading // while the list is read, the events that came meanwhile

// ---- elements and questions ----

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value)
    else if (value === true) element.setAttribute(key, '')
    else if (value !== false && value != null) element.setAttribute(key, value)
  }
  element.append(...children.filter(child => child != null))
  return element
}

const fail = text => { document.getElementById('failure').textContent = text }

async function ask(method, path, body) {
  const headers = body ? { 'Content-Type': 'application/json' } : {}
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) }).catch(() => null)
  const json = answer?.headers.get('Content-Type')?.startsWith('application/json') ? await answer.json() : null
  fail(answer?.ok ? '' : json?.error?.message ?? 'The inventory cannot be reached. Try again in a moment.')
  return answer?.ok ? json ?? {} : null
}

/** Asks before something is done; `field` is the input whose text it is done with, if any. */
function question(title, field, action, run) {
  const close = () => element.close()
  const element = make('dialog', { 'aria-labelledby': 'question', onclose: () => element.remove() },
    make('form', { method: 'dialog', onsubmit: () => run(field?.value) },
      make('h2', { id: 'question' }, title),
      field ?? null,
      make('p', { class: 'buttons' },
        make('button', { type: 'button', class: 'quiet', onclick: close }, 'Cancel'), make('button', { class: 'primary' }, action))))
  document.body.append(element)
  element.showModal()
}

const may = role => (RANKS[me.role] ?? 0) >= RANKS[role]

// ---- the list ----

function row(item) {
  const path = `/items/${encodeURIComponent(item.part_number)}`
  const revise = () => question(`Revision ${item.revision + 1} of ${item.part_number}`,
    make('input', { 'aria-label': 'What is new in it?', placeholder: 'What is new in it?', maxlength: 120, autocomplete: 'off' }),
    'Revise', comment => ask('POST', `${path}/revisions`, { comment }))
  const remove = () => question(`Delete ${item.part_number}, ${item.description}?`, null, 'Delete', () => ask('DELETE', path))
  const named = `${item.part_number}, ${item.description}`
  return make('li', { class: 'item', 'data-part': item.part_number },
    make('span', { class: `kind ${item.item_type}`, title: item.item_type }, item.item_type),
    make('span', { class: 'text' },
      make('span', { class: 'number' }, item.part_number), make('span', { class: 'description' }, item.description)),
    make('span', { class: 'revision', title: 'Revision' }, `r${item.revision}`),
    may('editor') ? make('button', { class: 'quiet', 'aria-label': `Revise ${named}`, onclick: revise }, 'Revise') : null,
    may('admin') ? make('button', { class: 'quiet', 'aria-label': `Delete ${named}`, onclick: remove }, 'Delete') : null)
}

function show_count() { document.querySelector('.count').textContent = items.size }

function show_items() {
  const sorted = [...items.values()].sort((one, other) => one.part_number < other.part_number ? -1 : 1)
  document.getElementById('items').replaceChildren(...sorted.map(row))
  show_count()
}

function show_item(part_number) {
  const list = document.getElementById('items')
  const old = list.querySelector(`[data-part="${CSS.escape(part_number)}"]`)
  const item = items.get(part_number)
  show_count()
  if (!item) return old?.remove()
  const fresh = row(item)
  fresh.classList.add('changed')
  if (old) return old.replaceWith(fresh)
  const next = [...list.children].find(other => other.dataset.part > part_number)
  list.insertBefore(fresh, next ?? null)
}

const changes = {
  'item.created': item => items.set(item.part_number, { revision: 1, ...items.get(item.part_number), ...item }),
  'item.updated': ({ part_number, revision }) => { if (items.has(part_number)) items.get(part_number).revision = revision },
  'item.deleted': ({ part_number }) => items.delete(part_number),
}

async function read() {
  if (reading) return
  reading = []
  const answer = await ask('GET', '/items')
  const meanwhile = reading
  reading = null
  if (!answer) return void setTimeout(read, 3000)
  items.clear()
  for (const item of answer.items) items.set(item.part_number, item)
  for (const [type, data] of meanwhile) changes[type]?.(data)
  show_items()
  show_mode(answer.mode)
}

// ---- the feed ----

const strong = text => make('strong', {}, text)

const sentences = {
  'item.created': ({ part_number, description, item_type }) => ['New: ', strong(part_number), ` ${description} (${item_type})`],
  'item.updated': ({ part_number, revision }) => [strong(part_number), ` is at revision ${revision}`],
  'item.deleted': ({ part_number }) => [strong(part_number), ' was deleted'],
  'revision.created': ({ part_number, revision_number, comment }) =>
    ['Revision ', strong(String(revision_number)), ' of ', strong(part_number), comment ? `: “${comment}”` : ''],
  'server.state': ({ mode: now }) => ['The server is in ', strong(now), ' mode'],
}

function tell(type, data) {
  const feed = document.getElementById('feed')
  const now = new Date()
  feed.prepend(make('li', { 'data-type': type },
    make('span', { class: 'what' }, ...sentences[type](data)),
    make('time', { datetime: now.toISOString() }, now.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' }))))
  while (feed.children.length > FEED_MAX) feed.lastElementChild.remove()
}

function show_mode(now) {
  if (now === mode) return false
  mode = now
  document.querySelector('#mode select').value = mode
  const notice = document.getElementById('notice')
  notice.textContent = MODES[mode] ?? (mode === 'normal' ? '' : `Mode: ${mode}`)
  notice.hidden = !notice.textContent
  document.body.dataset.mode = mode
  return true
}

function happened(type, data) {
  if (type === 'server.state') {
    const news = mode !== undefined
    if (show_mode(data.mode) && news) tell(type, data)
    return
  }
  if (reading) reading.push([type, data])
  changes[type]?.(data)
  if (changes[type]) show_item(data.part_number)
  tell(type, data)
}

function connection(state, text) {
  const line = document.getElementById('connection')
  line.dataset.state = state
  line.textContent = text
}

// ---- who ----

async function sign(path, body) {
  if (await ask('POST', path, body)) location.reload()
}

function show_login(people) {
  main.replaceChildren(make('section', { class: 'login' },
    make('h1', {}, 'Inventory'),
    make('p', {}, 'Whatever one of you changes, the others see at once. Pick who you are; a private window can be somebody else.'),
    make('ul', {}, ...people.map(({ user, name, role }) => make('li', {}, make('button', { onclick: () => sign('/login', { user }) },
      make('span', {}, name), make('span', { class: 'role' }, role ?? 'no role yet')))))))
}

function show_whole() {
  main.replaceChildren(document.getElementById('whole').content.cloneNode(true))
  main.classList.add('two')
  const create = document.getElementById('create')
  create.hidden = !may('editor')
  create.addEventListener('submit', async event => {
    event.preventDefault()
    const { item_type, description } = create.elements
    if (await ask('POST', '/items', { item_type: item_type.value, description: description.value })) description.value = ''
    description.focus()
  })
  const chooser = document.getElementById('mode')
  chooser.hidden = !may('admin')
  chooser.querySelector('select').addEventListener('change', event => ask('PUT', '/mode', { mode: event.target.value }))
}

async function start() {
  const answer = await ask('GET', '/me')
  if (!answer) return void setTimeout(start, 3000)
  if (!answer.me) return show_login(answer.people)
  me = answer.me
  document.querySelector('.bar').hidden = false
  document.querySelector('.me').replaceChildren(me.name, make('span', { class: 'role' }, me.role ?? 'no role yet'))
  document.getElementById('leave').addEventListener('click', () => sign('/logout', {}))
  show_whole()
  listen('/api/events', {
    ready: resumed => { connection('live', 'Live'); if (!resumed) read() },
    event: happened,
    lost: () => connection('lost', 'Reconnecting…'),
    refused: status => {
      if (status === 401) return location.reload()
      connection('refused', 'No access')
      main.classList.remove('two')
      main.replaceChildren(make('p', { class: 'empty' }, 'You can see the inventory once somebody has made you a viewer.'))
    },
  })
}

start()

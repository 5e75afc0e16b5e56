/*
 * One board on the page: what it shows, and how events change that.
 *
 * The server counts a board's changes, and each event carries the count (`version`). So what was read and what comes
 * over the stream fit together: an event that the reading had already is skipped, the next one is applied, and a
 * hole between them means reading again. The echo of a tab's own change is not dispatched in that tab
 * (client/connection.js): its answer brings the count instead. While such an answer, a reading or a drag is under
 * way, events wait.
 */
import { ask, fail, make, say } from './dom.js'
import { card_dialog, board_dialog, column_dialog, new_column_dialog } from './dialogs.js'
import { draggable } from './drag.js'

const still = () => matchMedia('(prefers-reduced-motion: reduce)').matches

const GONE = {
  forbidden: 'You no longer have access to this board.',
  full: 'Too many boards are open in this browser.',
  gone: 'This board has been deleted.',
}

export class Board {
  columns = []
  #version = 0
  #whole = false       // all of `#version` is shown; else the rest of that change may still come
  #busy = 0
  #waiting = []
  #stale = false
  #off

  /** `close()` is called when the person wants it off the page. */
  constructor(project, name, live, me, close) {
    Object.assign(this, { project, name, live, me, close, members: [], people: [], owner: null })
    this.element = make('section', { class: 'board', 'data-project': project, 'data-state': 'reading',
      'aria-labelledby': `board-${project}` })
    this.#frame()
    draggable(this)
    this.#off = live.on(this.topic, event => this.#take(event.json))
  }

  get topic() { return `project-board.${this.project}` }

  remove() {
    this.#off()
    this.element.remove()
  }

  card(id) {
    for (const column of this.columns) {
      const place = column.cards.findIndex(card => card.card === id)
      if (place >= 0) return { card: column.cards[place], column, place }
    }
    return null
  }

  // ---- reading ----

  /** Reads the board anew; once more where it is asked to meanwhile. */
  async read() {
    this.#stale = true
    if (this.#busy) return
    await this.#hold(async () => {
      this.#stale = false
      const answer = await ask(fetch, 'GET', `/projects/${this.project}`)
      if (answer.status === 403 || answer.status === 401) return this.end('forbidden')
      if (answer.status === 404) return this.end('gone')
      const { name, version, columns, members, people, owner } = answer.json
      Object.assign(this, { name, columns, members, people, owner })
      this.#version = version
      this.#whole = true
      this.element.dataset.state = 'live'
      this.draw()
    })
  }

  /** The board is not to be had any more: it says so, and shows nothing of what it knew. */
  end(why) {
    this.#off()
    this.columns = []
    this.element.dataset.state = why
    this.element.replaceChildren(
      make('header', {}, make('h2', { id: `board-${this.project}` }, this.name), this.#cross()),
      make('p', { class: 'empty', role: 'alert' }, GONE[why] ?? 'This board cannot be shown.'))
  }

  // ---- changes of this tab's own ----

  /** Events wait while `run` does; a failure is said, and the board read again. */
  async #hold(run) {
    this.#busy++
    try {
      await run()
    } catch {
      fail('The server cannot be reached. This board is read again as soon as it can.')
      setTimeout(() => this.read(), 2_000)
    }
    this.#busy--
    this.#go_on()
  }

  /** Keeps events waiting until the function that it returns is called: somebody holds a card. */
  pause() {
    this.#busy++
    return () => {
      this.#busy--
      this.#go_on()
    }
  }

  #go_on() {
    if (this.#busy) return
    if (this.#stale) return this.read()
    const waiting = this.#waiting
    this.#waiting = []
    for (const event of waiting) this.#take(event)
  }

  /** Asks for a change; `shown`: the page shows it already. */
  change(method, path, body, shown = false) {
    return this.#hold(async () => {
      const { status, ok, json } = await ask((...request) => this.live.fetch(...request), method, path, body)
      fail(ok ? '' : status === 403 ? 'You may not do that.' : 'That did not work; the board is read again.')
      if (ok && shown && json.version === this.#version + 1) {
        this.#version = json.version
        this.#whole = true
      } else {
        this.#stale = true
      }
    })
  }

  /** Puts a card where somebody dropped it; the page shows it there at once. */
  move(id, column, position) {
    const { card, column: from, place } = this.card(id)
    if (from.column === column && place === position) return this.draw()
    this.#put(id, column, position)
    this.draw()
    say(`${card.title}: moved to ${this.#column(column).name}, place ${position + 1}`)
    return this.change('POST', `/cards/${id}/move`, { column, position }, true)
  }

  // ---- changes of others' ----

  #take(event) {
    if (this.#busy) return void this.#waiting.push(event)
    if (event.version < this.#version || (event.version === this.#version && this.#whole)) return
    if (event.version > this.#version + 1 || !APPLY[event.type]) return this.read()
    this.#version = event.version
    this.#whole = false
    if (APPLY[event.type](this, event) === false) return this.read()
  }

  #column(id) { return this.columns.find(column => column.column === id) }

  #put(id, column, position) {
    const found = this.card(id)
    const target = this.#column(column)
    if (!found || !target) return false
    found.column.cards.splice(found.place, 1)
    target.cards.splice(position, 0, found.card)
    return true
  }

  moved({ card, column, position }) {
    if (!this.#put(card, column, position)) return false
    this.draw(card)
    say(`${this.card(card).card.title} is in ${this.#column(column).name} now`)
  }

  linked({ card, to }, is) {
    for (const [one, other] of [[card, to], [to, card]]) {
      const found = this.card(one)
      if (!found) return false
      found.card.links = found.card.links.filter(link => link !== other)
      if (is) found.card.links.push(other)
    }
    this.draw(card)
  }

  columned(run) {
    if (run(this.columns) === false) return false
    this.draw(true)
  }

  renamed({ name }) {
    this.name = name
    this.draw()
    this.element.dispatchEvent(new CustomEvent('renamed', { bubbles: true }))
  }

  // ---- drawing ----

  #cross() {
    return make('button', { class: 'cross', 'aria-label': `Close ${this.name}`, onclick: () => this.close(this) })
  }

  #frame() {
    this.heading = make('h2', { id: `board-${this.project}` }, this.name)
    this.faces = make('ul', { class: 'faces', 'aria-label': 'Who can see it' })
    this.row = make('div', { class: 'columns' })
    this.element.replaceChildren(
      make('header', {}, this.heading, this.faces,
        make('button', { class: 'quiet', onclick: () => new_column_dialog(this) }, 'Add column'),
        make('button', { class: 'quiet', onclick: () => board_dialog(this) }, 'Board…'),
        this.#cross()),
      this.row)
  }

  /** Shows what the board is now. What changed its place slides there if somebody else moved it: `arrived` is
   * the card, or true. */
  draw(arrived) {
    const before = arrived && !still() ? this.#places() : null
    const focused = this.element.contains(document.activeElement) ? document.activeElement : null
    this.heading.textContent = this.name
    this.faces.replaceChildren(...this.members.map(user => this.#face(user)))
    reconcile(this.row, this.columns, 'column', column => this.#new_column(column), (element, column) => {
      element.querySelector('h3').textContent = column.name
      element.querySelector('.count').textContent = column.cards.length
      reconcile(element.querySelector('.cards'), column.cards, 'card', card => this.#new_card(card),
        (element, card) => this.#fill_card(element, card), this.element)
    }, this.element)
    if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true })
    if (before) this.#slide(before, arrived)
  }

  #face(user) {
    const name = this.people.find(person => person.user === user)?.name ?? user
    return make('li', { title: name, class: `face hue-${this.people.findIndex(one => one.user === user) + 1}` },
      make('span', { 'aria-hidden': 'true' }, name.replace(/(\S)\S*\s*/g, '$1')), make('span', { class: 'unseen' }, name))
  }

  #new_column({ column }) {
    const name = make('h3', { id: `column-${column}` })
    return make('section', { class: 'column', 'data-column': column, 'aria-labelledby': name.id },
      make('header', {}, name, make('span', { class: 'count', 'aria-hidden': 'true' }),
        make('button', { class: 'more', 'aria-label': 'Change this column', 'aria-describedby': name.id,
          onclick: () => column_dialog(this, this.#column(column)) })),
      make('ol', { class: 'cards', 'aria-labelledby': name.id }))
  }

  #new_card({ card }) {
    return make('li', { class: 'card', 'data-card': card }, make('div', { class: 'face-of-card', role: 'button', tabindex: 0,
      'aria-describedby': 'how', onclick: event => { if (event.detail !== 0) return; card_dialog(this, card) } },
    make('span', { class: 'title' }), make('ul', { class: 'links' })))
  }

  #fill_card(element, { title, links }) {
    element.querySelector('.title').textContent = title
    const names = links.map(link => this.card(link)?.card.title).filter(Boolean)
    element.querySelector('.links').replaceChildren(...names.map(name =>
      make('li', {}, make('span', { class: 'unseen' }, 'Linked with '), name)))
  }

  #places() {
    return new Map([...this.element.querySelectorAll('.card, .column')].map(element =>
      [element.dataset.card ?? element.dataset.column, element.getBoundingClientRect()]))
  }

  #slide(before, arrived) {
    for (const element of this.element.querySelectorAll('.card, .column')) {
      const was = before.get(element.dataset.card ?? element.dataset.column)
      const is = element.getBoundingClientRect()
      const by = was && [was.left - is.left, was.top - is.top]
      if (element.dataset.card === arrived) {
        element.animate([{ boxShadow: '0 0 0 3px var(--accent)' }, { boxShadow: '0 0 0 3px transparent' }], 1_600)
      }
      if (!by || (!by[0] && !by[1])) continue
      element.animate([{ translate: `${by[0]}px ${by[1]}px`, zIndex: 2 }, { translate: 'none', zIndex: 2 }],
        { duration: 320, easing: 'cubic-bezier(.2,.8,.2,1)' })
    }
  }
}

/** Makes the children of `parent` those of `items`, in order, and moves as few of them as it can: one that stays
 * where it is keeps its focus. `key` names both the item's field and the element's data. */
function reconcile(parent, items, key, make_one, fill, home) {
  const there = new Map([...home.querySelectorAll(`[data-${key}]`)].map(element => [element.dataset[key], element]))
  const wanted = items.map(item => there.get(item[key]) ?? make_one(item))
  for (const child of [...parent.children]) if (!wanted.includes(child) && !child.classList.contains('ghost')) child.remove()
  wanted.forEach((element, place) => {
    if (parent.children[place] !== element) parent.insertBefore(element, parent.children[place] ?? null)
    fill(element, items[place])
  })
}

const APPLY = {
  'card.moved': (board, event) => board.moved(event),
  'card.linked': (board, event) => board.linked(event, true),
  'card.unlinked': (board, event) => board.linked(event, false),
  'column.created': (board, { column, name, position }) =>
    board.columned(columns => { columns.splice(position, 0, { column, name, cards: [] }) }),
  'column.updated': (board, { column, name }) => board.columned(columns => {
    const found = columns.find(one => one.column === column)
    if (!found) return false
    found.name = name
  }),
  'column.deleted': (board, { column }) => board.columned(columns => {
    const place = columns.findIndex(one => one.column === column)
    if (place < 0 || columns[place].cards.length) return false
    say(`The column ${columns[place].name} is gone`)
    columns.splice(place, 1)
  }),
  'column.reordered': (board, event) => board.columned(columns => {
    const order = event.columns.map(id => columns.find(one => one.column === id))
    if (order.length !== columns.length || order.includes(undefined)) return false
    columns.splice(0, columns.length, ...order)
  }),
  'project.updated': (board, event) => board.renamed(event),
  'project.deleted': board => { board.end('gone') },
}

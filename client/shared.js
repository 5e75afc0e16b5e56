/*
 * Many pages over one event stream.
 *
 *   import { shared } from '/client/shared.js'
 *
 *   const live = shared('/events', { user: 'ann' })
 *   const off = live.on('project-board.7', event => patch(event.json))
 *   live.addEventListener('ready', ({ detail }) => { if (!detail.resumed) read(detail.topics) })
 *   live.addEventListener('resync', ({ detail }) => read(detail.topics))
 *
 * All tabs of a browser that name the same stream and user share one SharedWorker, which holds one EventSource
 * with the topics that some tab wants (connection.js). Where there is no SharedWorker, the page holds its own, in
 * the same words. docs/client.md is the manual.
 */
import { Connection, hold_lock, randomTag } from './connection.js'

const KEY = 'sluice-tag'    // client/sluice.js keeps its tag there too: it is the tab's
const VERSION = 1           // of what is said over the ports: an old worker may outlive the page that made it
const AGAIN = 1_000         // ms after which a worker that says nothing is tried again,
const TRIES = 6             // so many times; then there is none
const RESERVED = new Set(['ready', 'resync', 'error', 'open'])

function recall() {
  try { return sessionStorage.getItem(KEY) } catch { return null }
}

function keep(tag) {
  try { sessionStorage.setItem(KEY, tag) } catch { /* then it lasts as long as the page */ }
  window.Sluice?.tag(tag)
}

/** What a listener is given: the event's name, its data as text and as JSON, its id. */
class Heard {
  constructor({ name, data, id }) { Object.assign(this, { type: name, data, id }) }
  get json() { return JSON.parse(this.data) }
}

/** Listeners by name. `add` and `remove` say whether the name's first came, its last went. */
class Listeners {
  #of = new Map()

  add(name, entry) {
    const list = this.#of.get(name)
    if (list) list.push(entry)
    else this.#of.set(name, [entry])
    return !list
  }

  remove(name, entry) {
    const list = this.#of.get(name)
    const place = list ? list.indexOf(entry) : -1
    if (place < 0) return false
    if (list.length === 1) return this.#of.delete(name)
    this.#of.set(name, list.toSpliced ? list.toSpliced(place, 1) : list.filter(other => other !== entry))
    return false
  }

  forget(name) { this.#of.delete(name) }
  names() { return [...this.#of.keys()] }
  call(name, event) { for (const entry of this.#of.get(name) ?? []) if (entry.run) entry.run(event) }
}

const lives = new Map() // of this page, by what they are shared under

class Live extends EventTarget {
  #port = null
  #topics = new Listeners()
  #types = new Listeners()
  #said = { want: { topics: [], types: [] }, drop: { topics: [], types: [] } }
  #saying = false
  #tag = window.Sluice?.tag() ?? recall() ?? randomTag()
  #lock = null
  #closed = false
  #named; #is_named = new Promise(resolve => { this.#named = resolve })

  /** `connect(take, died)` gives a port to a connection; died: what was at its other end is no more. */
  constructor(connect) {
    super()
    keep(this.#tag)
    this.#begin(connect)
    addEventListener('pagehide', () => this.#send({ do: 'bye' }))
    addEventListener('pageshow', event => { if (event.persisted) this.#hello() })
  }

  /** This tab's session tag. Known for sure once a connection has answered: `fetch` waits for that. */
  get tag() { return this.#tag }

  /** False once this page has closed it, or some page has ended it for all. */
  get open() { return !this.#closed }

  /** Wants a topic, and hears the events that carry its name. Returns a function that ends that. */
  on(topic, run) {
    if (RESERVED.has(topic)) throw new TypeError(`'${topic}' is no topic that can be shared`)
    return this.#add(this.#topics, 'topics', topic, run)
  }

  /** Hears the events of a name, of whatever topic the stream has. Returns a function that ends that. */
  hear(type, run) {
    if (RESERVED.has(type)) throw new TypeError(`'${type}' is no event of a topic; use addEventListener`)
    return this.#add(this.#types, 'types', type, run)
  }

  /** `fetch` with this tab's session tag: for what changes something, so that its echo is skipped here. */
  async fetch(resource, init = {}) {
    await this.#is_named
    const headers = new Headers(init.headers)
    headers.set('X-Session-Tag', this.#tag)
    return fetch(resource, { ...init, headers })
  }

  /** This page wants nothing any more. */
  close() {
    this.#send({ do: 'bye' })
    this.#closed = true
    this.#named()
  }

  /** Ends the stream for all tabs, as when somebody signs out; each hears `ended`. */
  async end() {
    await this.#is_named
    this.#send({ do: 'end' })
  }

  // The page's lock tells the worker when the page has died; the worker's lock tells the page.
  async #begin(connect) {
    this.#lock ??= await hold_lock()
    this.#port = await connect(message => this.#take(message), () => {
      if (this.#closed) return
      this.#port = null
      this.#take({ is: 'lost', closed: false, status: null })
      this.#begin(connect)
    })
    if (!this.#closed) this.#hello()
  }

  #hello() {
    this.#send({ do: 'hello', tag: this.#tag, lock: this.#lock })
    this.#said = { want: { topics: this.#topics.names(), types: this.#types.names() }, drop: { topics: [], types: [] } }
    this.#say()
  }

  #send(message) { if (this.#port && !this.#closed) this.#port.postMessage(message) }

  #add(listeners, kind, name, run) {
    const entry = { run }
    if (listeners.add(name, entry)) this.#change(kind, name, 'want', 'drop')
    return () => { if (listeners.remove(name, entry)) this.#change(kind, name, 'drop', 'want') }
  }

  // What one task of the page changes is said at once; what it takes back is not said at all.
  #change(kind, name, now, before) {
    const undone = this.#said[before][kind].indexOf(name)
    if (undone >= 0) this.#said[before][kind].splice(undone, 1)
    else this.#said[now][kind].push(name)
    if (this.#saying) return
    this.#saying = true
    queueMicrotask(() => this.#say())
  }

  #say() {
    this.#saying = false
    if (!this.#port) return // it is said with the greeting
    for (const [what, names] of Object.entries(this.#said)) {
      if (names.topics.length + names.types.length) this.#send({ do: what, ...names })
    }
    this.#said = { want: { topics: [], types: [] }, drop: { topics: [], types: [] } }
  }

  #take({ is, ...detail }) {
    if (this.#closed) return
    switch (is) {
      case 'event': {
        const event = new Heard(detail)
        this.#topics.call(detail.name, event)
        return this.#types.call(detail.name, event)
      }
      case 'hello':
        this.#tag = detail.tag
        keep(detail.tag)
        return this.#named()
      case 'ping': return this.#send({ do: 'pong' })
      case 'gone': return this.#hello()
      case 'refused':
        this.#topics.forget(detail.topic)
        break
      case 'ended':
        this.#closed = true
    }
    this.dispatchEvent(new CustomEvent(is, { detail }))
  }
}

function own(settings, take) {
  const { port1, port2 } = new MessageChannel()
  new Connection(settings).attach(port1)
  port2.onmessage = ({ data }) => take(data)
  return port2
}

// A worker that cannot be had, as in a browser without module workers, says so by an error, or not at all. One that
// is just ending may take the port and say nothing: then it is tried again, in the end under another name, which all
// tabs come to.
function of_worker(script, settings, take, died) {
  return new Promise(resolve => {
    if (!script || typeof SharedWorker !== 'function') return resolve(own(settings, take))
    const name = tries => `sluice ${VERSION}${tries > TRIES / 2 ? ' again' : ''} ${JSON.stringify(settings)}`
    let found = false, tries = 0, timer

    const settle = port => {
      clearTimeout(timer)
      found = true
      resolve(port)
    }
    const give_up = () => { if (!found) settle(own(settings, take)) }
    const attempt = () => {
      if (++tries > TRIES) return give_up()
      timer = setTimeout(attempt, AGAIN)
      const worker = new SharedWorker(script, { type: 'module', name: name(tries) })
      worker.onerror = give_up
      worker.port.onmessage = ({ data }) => {
        if (data.is !== 'there') return take(data)
        if (found) return worker.port.close()
        if (data.lock && navigator.locks) navigator.locks.request(data.lock, died)
        settle(worker.port)
      }
    }
    try { attempt() } catch { give_up() }
  })
}

/**
 * A page's share of the stream at `url`. Options, all of which may be left out:
 *   user     whose stream it is: tabs of another user share another one
 *   worker   the worker's script; beside this file. false: none, the page connects itself
 *   topics   the route that changes a live stream's topics; "/topics"
 *   ping     seconds between two questions to pages that cannot hold a lock (no https): are you there? 10
 */
export function shared(url, options = {}) {
  const { user = '', worker = new URL('./worker.js', import.meta.url), topics = '/topics', ping = 10 } = options
  const settings = {
    url: new URL(url, document.baseURI).href,
    topics: new URL(topics, document.baseURI).href.replace(/\/$/, ''),
    user, ping,
  }
  const name = JSON.stringify(settings)
  if (!lives.get(name)?.open) {
    const script = worker && new URL(worker, document.baseURI)
    lives.set(name, new Live((take, died) => of_worker(script, settings, take, died)))
  }
  return lives.get(name)
}

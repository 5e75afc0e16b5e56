/*
 * One event stream for many pages: what client/worker.js runs for all tabs of a browser, and what a page runs
 * for itself where there is no SharedWorker. Pages are ports; shared.js is the other end of them.
 *
 * It holds one EventSource, with the topics that some page wants. A topic that comes or goes while the stream is
 * live is told to the server over HTTP, and the stream stays (`POST` and `DELETE` below `topics`). A server that
 * has no such stream, or no such route (404, 405, 409), is connected to anew, with `?topic=` and the cursor.
 *
 *        open()          `ready`            settle(): wanted and held topics differ -> POST, DELETE
 *   idle ------> opening -------> live ----+
 *    ^             ^               |       +--> 404, ...: open() anew, with the cursor
 *    |             |   error       v
 *    |             +---------- reconnecting     the browser does it, at the time that the server named
 *    |             |
 *    |             +-- probe <- closed          any status but 200: asked why, with a growing wait
 *    +-- nobody wants anything any more
 *
 * What it promises a page: every event of its topics between a `ready` that names them and the next `lost`,
 * or a `resync`; and `resumed: false` in a `ready` wherever that cannot be said of what came before.
 * The browser repeats the URL that it was given, so a stream that the browser has reconnected lacks the topics
 * that were added since; it is opened once more, with the cursor from before, at the first word that it says.
 */

const LINGER = 1_000          // a page that loads again wants the same topics in a moment
const BACKOFF = [500, 30_000] // between attempts after a refusal, in ms
const PINGS = 3               // so many without an answer: it is gone

const NO_ROUTE = new Set([404, 405, 409, 410, 501]) // to change the topics of this stream

const wait = ms => new Promise(resolve => setTimeout(resolve, ms))

export function randomTag() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => (byte + 256).toString(16).slice(1)).join('')
}

/** Holds a lock for as long as this page or worker lives, and gives its name; null where there are no locks. */
export function hold_lock() {
  return new Promise(resolve => {
    if (!navigator.locks) return resolve(null)
    const name = `sluice ${randomTag()}`
    navigator.locks.request(name, () => { resolve(name); return new Promise(() => {}) }).catch(() => resolve(null))
  })
}

function object(json) {
  try { return Object(JSON.parse(json)) } catch { return {} }
}

/** One tab: the topics that it wants, those of them that it was told are live, names of events that it hears besides. */
class Page {
  tag = null
  topics = new Set()
  known = new Set()
  types = new Set()
  attached = false
  silence = 0

  constructor(port) { this.port = port }

  hears(name) { return this.attached && (this.topics.has(name) || this.types.has(name)) }
}

export class Connection {
  #url; #route; #ping_ms
  #pages = new Set()
  #source = null
  #tag = randomTag()     // the stream's own: the topics' route finds it by that
  #cursor = null
  #asked = new Set()     // topics in the stream's URL
  #held = new Set()      // topics that the server has said the stream has
  #live = false
  #bare = false          // next time without topics: one of them was refused, and the route says which
  #doubted = false       // this stream was opened so
  #failures = 0
  #lost = null
  #opening = false
  #settling = false
  #lingering = null
  #pinging = null

  /** `topics`: the route's URL; `ping`: seconds between two questions to pages that hold no lock. */
  constructor({ url, topics, ping }) {
    this.#url = url
    this.#route = topics
    this.#ping_ms = ping * 1_000
  }

  /** Takes a port to a page; what it says is in `#take`. */
  attach(port) {
    const page = new Page(port)
    port.onmessage = ({ data }) => this.#take(page, data)
  }

  #take(page, message) {
    page.silence = 0
    if (!page.attached && message.do !== 'hello') {
      if (message.do !== 'bye') page.port.postMessage({ is: 'gone' })
      return
    }
    switch (message.do) {
      case 'hello': return this.#hello(page, message)
      case 'want': return this.#want(page, message)
      case 'drop': return this.#drop(page, message)
      case 'bye': return this.#detach(page)
      case 'end': return this.#end()
    }
  }

  // A duplicated tab comes with a copy of its origin's tag, and would take that one's echo for its own.
  #hello(page, { tag, lock }) {
    const taken = [...this.#pages].some(other => other !== page && other.tag === tag)
    page.tag = taken ? randomTag() : tag
    page.attached = true
    this.#pages.add(page)
    page.port.postMessage({ is: 'hello', tag: page.tag })
    this.#watch(page, lock)
  }

  // A port does not tell that its other end has gone. A lock does: it is free as soon as its holder is dead.
  #watch(page, lock) {
    if (lock && navigator.locks) {
      if (page.lock === lock) return
      page.lock = lock
      navigator.locks.request(lock, () => this.#detach(page))
    } else {
      page.pinged = true
      this.#pinging ??= setInterval(() => this.#ping(), this.#ping_ms)
    }
  }

  #ping() {
    for (const page of this.#pages) {
      if (!page.pinged) continue
      if (++page.silence > PINGS) this.#detach(page)
      else page.port.postMessage({ is: 'ping' })
    }
  }

  #detach(page) {
    if (!page.attached) return
    page.attached = false
    for (const names of [page.topics, page.known, page.types]) names.clear()
    this.#pages.delete(page)
    this.#spare()
  }

  #want(page, { topics = [], types = [] }) {
    for (const topic of topics) page.topics.add(topic)
    for (const type of types) page.types.add(type)
    if (this.#source) for (const name of [...topics, ...types]) this.#listen(name)
    if (this.#lost) page.port.postMessage({ is: 'lost', ...this.#lost })
    if (this.#live) {
      const held = topics.filter(topic => this.#held.has(topic))
      if (held.length || types.length) page.port.postMessage({ is: 'ready', topics: held, resumed: false, missed: null })
      for (const topic of held) page.known.add(topic)
      this.#settle()
    } else if (!this.#source) {
      this.#open()
    }
  }

  #drop(page, { topics = [], types = [] }) {
    for (const topic of topics) {
      page.topics.delete(topic)
      page.known.delete(topic)
    }
    for (const type of types) page.types.delete(type)
    this.#spare()
  }

  /** Something is wanted less; in a moment it may be wanted again. */
  #spare() {
    this.#lingering ??= setTimeout(() => {
      this.#lingering = null
      if (!this.#busy()) this.#close()
      else this.#settle()
    }, LINGER)
  }

  #wanted() {
    const wanted = new Set()
    for (const page of this.#pages) for (const topic of page.topics) wanted.add(topic)
    return wanted
  }

  #busy() {
    return [...this.#pages].some(page => page.topics.size || page.types.size)
  }

  #close() {
    this.#source?.close()
    this.#source = null
    this.#live = false
    this.#held.clear()
  }

  #end() {
    this.#close()
    this.#cursor = null
    for (const page of [...this.#pages]) {
      page.port.postMessage({ is: 'ended' })
      this.#detach(page)
    }
  }

  // ---- the stream ----

  #address(topics, tag = this.#tag) {
    const url = new URL(this.#url)
    for (const topic of topics) url.searchParams.append('topic', topic)
    if (this.#cursor) url.searchParams.set('last_event_id', this.#cursor)
    if (tag) url.searchParams.set('tag', tag)
    return url.href
  }

  // Pages that load at the same time say what they want at the same time.
  async #open() {
    if (this.#opening) return
    this.#opening = true
    this.#close()
    await wait(0)
    this.#opening = false
    if (!this.#busy()) return
    this.#asked = this.#bare ? new Set() : this.#wanted()
    this.#doubted = this.#bare
    this.#bare = false

    const source = new EventSource(this.#address(this.#asked), { withCredentials: true })
    this.#source = source
    source.listened = new Set()
    for (const page of this.#pages) for (const name of [...page.topics, ...page.types]) this.#listen(name)
    const mine = run => event => { if (source === this.#source) run(event) }
    source.addEventListener('ready', mine(event => this.#on_ready(source, event)))
    source.addEventListener('resync', mine(event => this.#on_resync(event)))
    source.addEventListener('error', mine(event => {
      if (event.data === undefined) this.#on_error(source) // else it is an event of that name
    }))
  }

  // EventSource has no "any event": each name that some page hears is listened to once.
  #listen(name) {
    const source = this.#source
    if (source.listened.has(name)) return
    source.listened.add(name)
    source.addEventListener(name, event => {
      if (source === this.#source && event.data !== undefined) this.#on_event(name, event)
    })
  }

  #on_event(name, event) {
    if (event.lastEventId) this.#cursor = event.lastEventId
    const tag = event.data.includes('"session_tag"') ? object(event.data).session_tag : undefined
    for (const page of this.#pages) {
      if (!page.hears(name) || (tag !== undefined && page.tag === tag)) continue
      page.port.postMessage({ is: 'event', name, data: event.data, id: event.lastEventId })
    }
  }

  #on_ready(source, event) {
    if (source.ready && [...this.#wanted()].some(topic => !this.#asked.has(topic))) return this.#open()
    const { resumed, missed = null, tag } = object(event.data)
    source.ready = true
    if (event.lastEventId) this.#cursor = event.lastEventId
    if (typeof tag === 'string') this.#tag = tag
    this.#live = true
    this.#failures = 0
    this.#lost = null
    this.#held = new Set(this.#asked)
    this.#tell_ready(this.#held, { resumed: resumed === true, missed }, true)
    this.#settle()
  }

  // The server's verdict is about what the stream has missed. A page that did not have a topic before has read
  // nothing of it, whatever was replayed.
  #tell_ready(topics, verdict, opened) {
    for (const page of this.#pages) {
      const its = [...topics].filter(topic => page.topics.has(topic))
      const fresh = its.filter(topic => !page.known.has(topic))
      const known = its.filter(topic => page.known.has(topic))
      for (const topic of fresh) page.known.add(topic)
      if (known.length || (opened && page.types.size && !fresh.length)) {
        page.port.postMessage({ is: 'ready', topics: known, ...verdict })
      }
      if (fresh.length) page.port.postMessage({ is: 'ready', topics: fresh, resumed: false, missed: null })
    }
  }

  #on_resync(event) {
    if (event.lastEventId) this.#cursor = event.lastEventId
    const { reason, missed = null, topics } = object(event.data)
    for (const page of this.#pages) {
      const its = [...page.topics].filter(topic => !topics?.length || topics.includes(topic))
      if (its.length || page.types.size) page.port.postMessage({ is: 'resync', reason, missed, topics: its })
    }
  }

  #on_error(source) {
    const closed = source.readyState === EventSource.CLOSED
    this.#live = false
    this.#held.clear()
    this.#lose({ closed, status: null })
    if (closed) this.#after_refusal(source)
  }

  #lose(how) {
    this.#lost = how
    for (const page of this.#pages) page.port.postMessage({ is: 'lost', ...how })
  }

  // A browser gives up for good on any status but 200, and does not say which. So it is asked for, and only a
  // server that would take the stream is given one. 403 may be about a single topic: the route says which.
  async #after_refusal(source) {
    const [min, max] = BACKOFF
    while (source === this.#source) {
      await wait(Math.min(max, min * 2 ** this.#failures++) * (0.5 + Math.random() / 2))
      if (source !== this.#source) return
      if (!this.#busy()) return this.#close()
      const topics = this.#wanted()
      const status = await this.#probe(topics)
      if (source !== this.#source) return
      if (status === 403 && topics.size) this.#bare = true
      if (status === 200 || this.#bare) return this.#open()
      if (status) this.#lose({ closed: true, status })
    }
  }

  async #probe(topics) {
    const abort = new AbortController()
    try {
      const answer = await fetch(this.#address(topics, null), {
        headers: { Accept: 'text/event-stream' }, cache: 'no-store', credentials: 'include', signal: abort.signal,
      })
      return answer.status
    } catch {
      return null
    } finally {
      abort.abort()
    }
  }

  // ---- topics that come and go ----

  /** Makes what the live stream has what the pages want, one request at a time. */
  async #settle() {
    if (this.#settling) return
    this.#settling = true
    for (let again = true; again && this.#live;) again = await this.#step(this.#source)
    this.#settling = false
  }

  /** One request; false: there is nothing to do, or another stream is to come first. */
  async #step(source) {
    const wanted = this.#wanted()
    const add = [...wanted].filter(topic => !this.#held.has(topic))
    if (add.length) return this.#add(source, add)
    const drop = this.#lingering ? undefined : [...this.#held].find(topic => !wanted.has(topic))
    return drop === undefined ? false : this.#remove(drop)
  }

  #call(method, url, body) {
    return fetch(url, {
      method, body, credentials: 'include',
      headers: { 'X-Session-Tag': this.#tag, ...(body ? { 'Content-Type': 'application/json' } : {}) },
    })
  }

  async #add(source, topics) {
    const answer = await this.#call('POST', this.#route, JSON.stringify({ topics })).catch(() => null)
    const said = answer?.ok ? await answer.json().catch(() => null) : null
    if (source !== this.#source || !this.#live) return true // another stream, which asks for them itself
    if (answer && NO_ROUTE.has(answer.status)) {
      if (this.#doubted) await this.#sift(topics)
      if (source === this.#source) this.#open()
      return false
    }
    const forbidden = answer?.status === 403
    if (!said && !forbidden) return this.#later()
    const refused = forbidden ? Object.fromEntries(topics.map(topic => [topic, 'forbidden'])) : Object(said.refused)
    const unknown = topics.filter(topic => refused[topic] === 'unknown')
    for (const topic of topics) if (refused[topic] && refused[topic] !== 'unknown') this.#refuse(topic, refused[topic])
    const added = topics.filter(topic => !refused[topic])
    for (const topic of added) this.#held.add(topic)
    this.#failures = 0
    this.#tell_ready(added, { resumed: false, missed: null }, false)
    return unknown.length ? this.#later() : true
  }

  /** Finds out which topics are refused where no route says it: asks for a stream of each alone. */
  async #sift(topics) {
    for (const topic of topics) if (await this.#probe([topic]) === 403) this.#refuse(topic, 'forbidden')
  }

  // A server that cannot say, or cannot be reached, is asked again.
  async #later() {
    const [min, max] = BACKOFF
    await wait(Math.min(max, 2 * min * 2 ** this.#failures++) * (0.5 + Math.random() / 2))
    return true
  }

  #refuse(topic, code) {
    for (const page of this.#pages) {
      page.known.delete(topic)
      if (page.topics.delete(topic)) page.port.postMessage({ is: 'refused', topic, code })
    }
  }

  // What it says does not matter: a stream that is gone has dropped it, a new one does not ask for it.
  async #remove(topic) {
    this.#held.delete(topic)
    await this.#call('DELETE', `${this.#route}/${encodeURIComponent(topic)}`).catch(() => null)
    return true
  }
}

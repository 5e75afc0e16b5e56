/*
 * The event stream of one room and of this person. Its events have no names: each is a JSON object with a `type`.
 *
 * A stream begins with all that was said lately (`last_event_id=earliest`), so a page has nothing else to read; a
 * connection that is lost is opened again by the browser, which goes on from the last event. What cannot be gone on
 * from - a resync, an expired token, a refusal - begins anew.
 */
import { ask, session, sign_in } from './session.js'

const PAUSE = 2_000 // between two beginnings

const random_tag = () => crypto.getRandomValues(new Uint32Array(4)).reduce((text, part) => text + part.toString(36).padStart(7, '0'), '')

export class Stream {
  /** `on.begin()`: all that is shown is to go; `on.message(data)`; `on.state('live' | 'lost' | 'shut')`. */
  constructor(room, on) {
    Object.assign(this, { room, on, closed: false, begun: 0 })
    this.open()
  }

  open() {
    clearTimeout(this.timer)
    this.source?.close()
    this.begun = Date.now()
    this.tag = random_tag() // a new one each time: what this tab said itself is then among what was said lately
    const query = new URLSearchParams([
      ['channel', `channel:${this.room}`], ['channel', `user:${encodeURIComponent(session.user)}`],
      ['token', session.token], ['tag', this.tag], ['last_event_id', 'earliest'],
    ])
    const source = this.source = new EventSource(`/api/events?${query}`)
    let fresh = true
    source.addEventListener('ready', ({ data }) => {
      if (fresh) this.on.begin()
      fresh = false
      this.tag = JSON.parse(data).tag ?? this.tag
      this.on.state('live')
    })
    source.addEventListener('message', ({ data }) => this.on.message(JSON.parse(data)))
    source.addEventListener('resync', ({ data }) => {
      // Of a stream that has just begun it says that more was said than is kept: there is nothing else to read.
      if (this.settled || JSON.parse(data).reason === 'lagged') this.later()
    })
    source.addEventListener('expired', () => this.renew())
    source.addEventListener('error', () => {
      this.on.state('lost')
      if (source.readyState === EventSource.CLOSED) this.refused()
    })
  }

  /** What comes now is new, and none of what was said lately. */
  get settled() { return Date.now() - this.begun > PAUSE }

  later() {
    clearTimeout(this.timer)
    if (!this.closed) this.timer = setTimeout(() => this.open(), Math.max(0, this.begun + PAUSE - Date.now()))
  }

  async renew() {
    this.source.close()
    await sign_in(session.user).catch(() => {})
    this.later()
  }

  // Any status but 200 ends an EventSource and is not told to the page: it is asked for.
  async refused() {
    const answer = await ask('GET', `/api/channels/${this.room}/members`).catch(() => null)
    if (this.closed) return
    if (answer?.status === 403) this.on.state('shut')
    else this.later()
  }

  close() {
    this.closed = true
    clearTimeout(this.timer)
    this.source.close()
  }
}

/*
 * The activity feed: an EventSource that is never given up. The browser comes back by itself, with the last event's id,
 * when a connection is cut; but not after a proxy's 502, nor when a network swallows the stream without a word. So a
 * new one is made after an end for good, with the last id in the query, and where not even a heartbeat comes.
 *
 * Calls on.ready(resumed), on.event(type, data), on.lost(), on.refused().
 */
const TYPES = ['item.created', 'item.updated', 'item.deleted', 'revision.created', 'server.state']
const SILENCE_MS = 75_000 // the server's heartbeat comes every 30 s
const PAUSE_MS = 2_000

export function listen(url, on) {
  let source, last = '', alarm

  function again() {
    source.close()
    clearTimeout(alarm)
    alarm = setTimeout(open, PAUSE_MS * (0.5 + Math.random()))
  }

  // Whether it is us that are not wanted: EventSource does not say.
  async function look() {
    const controller = new AbortController()
    const answer = await fetch(url, { signal: controller.signal }).catch(() => null)
    controller.abort()
    if (answer?.status === 401 || answer?.status === 403) on.refused(answer.status)
    else again()
  }

  function heard(event) {
    if (event.lastEventId) last = event.lastEventId
    clearTimeout(alarm)
    alarm = setTimeout(() => { on.lost(); again() }, SILENCE_MS)
  }

  function open() {
    const opened = source = new EventSource(last ? `${url}?last_event_id=${encodeURIComponent(last)}` : url)
    source.addEventListener('ready', event => { heard(event); on.ready(JSON.parse(event.data).resumed) })
    source.addEventListener('resync', event => { heard(event); on.ready(false) })
    source.addEventListener('heartbeat', heard)
    for (const type of TYPES) source.addEventListener(type, event => { heard(event); on.event(type, JSON.parse(event.data)) })
    source.addEventListener('error', () => {
      if (opened !== source) return
      on.lost()
      clearTimeout(alarm)
      if (source.readyState === EventSource.CLOSED) look()
      else alarm = setTimeout(again, SILENCE_MS)
    })
  }

  open()
  return () => { clearTimeout(alarm); source.close() }
}

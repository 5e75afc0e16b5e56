/*
 * The browser's side of a Sluice stream: gives an EventSource that had to be made anew its cursor and
 * its session tag back.
 *
 * A browser's EventSource reconnects by itself and sends Last-Event-ID as it does. It gives up for good on
 * any status but 200, however; then the page makes a new one, which knows nothing. htmx's sse extension
 * does so after 0.5 to 64 s, through `htmx.createEventSource`, which this file takes over. No build step,
 * no dependency, one global:
 *
 *   <script src="/lib/htmx/htmx.js"></script>
 *   <script src="/client/sluice.js"></script>     after htmx, before or after its extension
 *   <script src="/lib/sse/sse.js"></script>
 *
 * Without htmx: `Sluice.eventSource(url, init)` instead of `new EventSource(url, init)`, and again with the
 * same URL once its readyState is CLOSED.
 *
 * What it does:
 *   - remembers, per URL, the id of the last event that the page listened to, and asks a new EventSource's
 *     stream to go on from there (`last_event_id=`). An id that a heartbeat brought alone reaches no script,
 *     so the cursor can be a little old: the server then replays nothing, or says that it cannot;
 *   - gives the tab a random session tag, kept over reloads in sessionStorage, and sends it with the stream
 *     (`tag=`) and with htmx's requests to its own origin (`X-Session-Tag`). Use `Sluice.tag()` for others.
 *     A duplicated tab starts with a copy; the server renames the newer in `ready`, and that name is taken
 *     over. One tag means one stream a page;
 *   - skips an event whose JSON object has this tab's own tag as `session_tag` (`suppress = "client"`);
 *   - tells the page, with events on <body> that htmx takes as triggers (`hx-trigger="sluice:resync from:body"`):
 *
 *       sluice:ready   the stream is live. detail: the server's verdict, {resumed, missed, tag}
 *       sluice:resync  what the page shows may be stale, read it again. detail: {reason, missed, topics}. Comes
 *                      for the server's `resync`, and for each `ready` that did not resume, with the reason
 *                      "connect" at the page's first: what happened between page and stream is unknown, unless
 *                      the page had its cursor in the URL
 *       sluice:lost    the stream broke. detail: {closed}: whether for good, so that only a new one helps
 */
(function () {
  'use strict'

  var KEY = 'sluice-tag'
  var cursors = Object.create(null) // stream's URL: the id of the last event seen there
  var opened = Object.create(null)  // stream's URL: true once it was ready
  var tag = recall() || random()

  function recall() {
    try { return sessionStorage.getItem(KEY) } catch (denied) { return null }
  }

  function keep(name) {
    tag = name
    try { sessionStorage.setItem(KEY, name) } catch (denied) { /* then it lasts as long as the page */ }
  }

  function random() {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), function (byte) {
      return (byte + 256).toString(16).slice(1)
    }).join('')
  }

  function object(json) {
    try { return Object(JSON.parse(json)) } catch (malformed) { return {} }
  }

  function tell(what, detail) {
    document.body.dispatchEvent(new CustomEvent('sluice:' + what, { bubbles: true, detail: detail }))
  }

  function echo(event) {
    return String(event.data).indexOf(tag) >= 0 && object(event.data).session_tag === tag
  }

  function eventSource(url, init) {
    var target = new URL(url, document.baseURI)
    var stream = target.href
    if (cursors[stream]) target.searchParams.set('last_event_id', cursors[stream])
    target.searchParams.set('tag', tag)

    var source = new EventSource(target.href, init)
    var listen = source.addEventListener
    var tracked = Object.create(null)

    // EventSource has no "any event": the first listener of each type is ours.
    function track(type) {
      if (tracked[type]) return
      tracked[type] = true
      listen.call(source, type, function (event) {
        if (event.lastEventId) cursors[stream] = event.lastEventId
        if (event.data && echo(event)) event.stopImmediatePropagation()
      })
    }

    source.addEventListener = function (type) {
      track(type)
      return listen.apply(source, arguments)
    }

    track('message') // for source.onmessage
    source.addEventListener('ready', function (event) {
      var verdict = object(event.data)
      var reason = opened[stream] ? 'reconnect' : 'connect'
      opened[stream] = true
      if (typeof verdict.tag === 'string') keep(verdict.tag)
      tell('ready', verdict)
      if (verdict.resumed !== true) tell('resync', { reason: reason, missed: verdict.missed })
    })
    source.addEventListener('resync', function (event) {
      tell('resync', object(event.data))
    })
    source.addEventListener('error', function (event) {
      if (event.data === undefined) tell('lost', { closed: source.readyState === EventSource.CLOSED })
    })
    return source
  }

  keep(tag)
  if (window.htmx) {
    window.htmx.createEventSource = function (url) { return eventSource(url, { withCredentials: true }) }
  }
  document.addEventListener('htmx:configRequest', function (event) {
    var request = event.detail
    if (new URL(request.path, document.baseURI).origin === location.origin) request.headers['X-Session-Tag'] = tag
  })

  window.Sluice = { eventSource: eventSource, tag: function (name) { if (name) keep(name); return tag } }
})()

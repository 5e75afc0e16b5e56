/*
 * What the chat page needs beyond htmx: it says which thread this tab shows, whether the stream is live, and
 * what came in, to those who listen instead of look. Nothing here renders a message: every live change is a
 * trigger on which htmx gets HTML.
 */
(function () {
  'use strict'

  var shown = null   // the peer whose thread the server was told that this tab shows
  var heard = 0       // the highest row of it that was read out or seen
  var waiting = false // for one message to be there, to send the next

  function log() { return document.getElementById('messages') }

  function lastRow() {
    var last = log() && log().querySelector('[data-row]:last-child')
    return last ? Number(last.dataset.row) : 0
  }

  function tellThread(method, peer, body) {
    fetch('/threads/' + encodeURIComponent(peer) + '/open', {
      method: method,
      headers: { 'Content-Type': 'application/json', 'X-Session-Tag': Sluice.tag() },
      body: body && JSON.stringify(body)
    }).catch(function () { /* the server is away: the next sluice:ready says it again */ })
  }

  // A thread in a hidden tab is not being read.
  function tellShown() {
    var peer = log() && !document.hidden ? log().dataset.peer : null
    if (peer) tellThread('POST', peer, { rowId: lastRow() })
    else if (shown) tellThread('DELETE', shown)
    shown = peer
  }

  function connection(state, text) {
    var line = document.getElementById('connection')
    if (!line || line.dataset.state === state) return
    line.dataset.state = state
    line.textContent = text
  }

  function fail(text) {
    document.getElementById('failure').textContent = text
  }

  function markOpen() {
    document.querySelectorAll('#conversations a').forEach(function (row) {
      if (log() && row.dataset.peer === log().dataset.peer) row.setAttribute('aria-current', 'true')
      else row.removeAttribute('aria-current')
    })
  }

  function localTimes() {
    var now = new Date()
    document.querySelectorAll('time').forEach(function (time) {
      var at = new Date(time.dateTime)
      var today = at.toDateString() === now.toDateString()
      time.textContent = at.toLocaleString([], today
        ? { hour: '2-digit', minute: '2-digit' }
        : time.closest('#conversations') ? { weekday: 'short' } : { weekday: 'short', hour: '2-digit', minute: '2-digit' })
    })
  }

  function readOut() {
    var news = Array.from(log().querySelectorAll('.message:not(.mine)')).filter(function (message) {
      return Number(message.dataset.row) > heard
    })
    document.getElementById('heard').textContent = news.map(function (message) {
      return log().dataset.name + ': ' + message.querySelector('p').textContent
    }).join('. ')
    heard = lastRow()
  }

  var on = document.body.addEventListener.bind(document.body)

  on('sluice:ready', function () {
    connection('live', 'Live')
    tellShown()
  })
  on('sluice:lost', function () { connection('lost', 'Reconnecting…') })
  document.addEventListener('visibilitychange', tellShown)

  on('htmx:afterSwap', function (event) {
    var target = event.detail.target
    var cause = event.detail.requestConfig.triggeringEvent
    localTimes()
    markOpen()
    if (target.id === 'messages') {
      readOut()
      if (cause && cause.type === 'sluice:resync') tellShown() // it shows rows now that the server did not see pass
    } else if (target.id === 'thread' || target.id === 'app') {
      heard = lastRow()
      if (target.id === 'thread') tellShown()
      if (matchMedia('(pointer: fine)').matches && log()) document.getElementById('text').focus()
    }
  })

  // Sending: the text leaves the box at once and comes back if it did not go out. One message is under way at a
  // time; Enter meanwhile sends the next as soon as that one is there.
  on('htmx:beforeSend', function (event) {
    var form = event.detail.elt
    if (form.matches('.composer')) form.elements.text.value = ''
  })
  on('htmx:afterRequest', function (event) {
    var form = event.detail.elt
    if (event.detail.successful) fail('')
    if (!form.matches('.composer')) return
    if (event.detail.successful) {
      document.querySelector('.scroll').scrollTop = 0 // its origin is the newest message
      if (waiting) form.requestSubmit()
    } else {
      form.elements.text.value = event.detail.requestConfig.parameters.text + form.elements.text.value
      fail('That message did not go out. Try again in a moment.')
    }
    waiting = false
  })
  on('keydown', function (event) {
    var form = event.target.closest('.composer')
    if (!form || event.key !== 'Enter' || event.shiftKey || event.isComposing) return
    event.preventDefault()
    if (form.querySelector('button').disabled) waiting = true
    else form.requestSubmit()
  })

  on('htmx:responseError', function (event) {
    if (event.detail.xhr.status === 401) location.assign('/')
  })

  htmx.ajax('GET', '/ui/app' + location.search, '#app')
})()

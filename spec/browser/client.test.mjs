// client/sluice.js alone, in a real browser, against streams that the test writes itself.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import { after, before, test } from 'node:test'
import { launch, ROOT, until } from './world.mjs'

const FILES = {
  '/htmx.js': 'examples/chat/node_modules/htmx.org/dist/htmx.js',
  '/sluice.js': 'client/sluice.js',
}
const PAGE = '<!doctype html><body><script src="/htmx.js"></script><script src="/sluice.js"></script>'

let browser, server, origin
const streams = [] // of the running test: {query, send(block), end()}

function serve(request, response) {
  const url = new URL(request.url, origin)
  if (url.pathname === '/events') {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    response.write('retry: 50\n\n')
    streams.push({
      query: Object.fromEntries(url.searchParams),
      send: (...lines) => response.write(lines.join('\n') + '\n\n'),
      ready: verdict => response.write(`id: r\nevent: ready\ndata: ${JSON.stringify(verdict)}\n\n`),
      end: () => response.end(),
    })
  } else {
    const file = FILES[url.pathname]
    response.writeHead(200, { 'Content-Type': file ? 'text/javascript' : 'text/html' })
    response.end(file ? fs.readFileSync(`${ROOT}/${file}`) : PAGE)
  }
}

before(async () => {
  browser = await launch()
  server = http.createServer(serve).listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${server.address().port}`
})
after(async () => {
  await browser.close()
  server.closeAllConnections()
  server.close()
})

/** A page that notes what the client tells it in `told`, and what listeners of a stream get in `got`. */
async function open(t, prepare) {
  streams.length = 0
  const context = await browser.newContext()
  t.after(() => context.close())
  const page = await context.newPage()
  if (prepare) await page.addInitScript(prepare)
  await page.goto(origin)
  await page.evaluate(() => {
    window.told = []
    window.got = []
    for (const what of ['ready', 'resync', 'lost']) {
      document.body.addEventListener(`sluice:${what}`, event => told.push([what, event.detail]))
    }
    window.connect = (...types) => {
      window.source = Sluice.eventSource('/events?topic=a')
      source.onmessage = event => got.push(event.data)
      for (const type of types) source.addEventListener(type, event => got.push(event.data))
    }
  })
  return page
}

const told = page => page.evaluate(() => window.told)
const got = page => page.evaluate(() => window.got)

async function stream(count) {
  await until(() => streams.length >= count, `stream ${count}`)
  return streams[count - 1]
}

async function gets(page, ...data) {
  await until(async () => (await got(page)).length >= data.length, JSON.stringify(data))
  assert.deepEqual(await got(page), data)
}

test('a recreated EventSource asks for what came after the last event that the page listened to', async t => {
  const page = await open(t)
  await page.evaluate(() => connect('news'))
  const first = await stream(1)
  assert.equal(first.query.topic, 'a')
  assert.equal(first.query.last_event_id, undefined)
  first.send('id: 6', 'event: news', 'data: six')
  first.send('id: 7', 'event: unheard', 'data: seven')
  await gets(page, 'six')

  await page.evaluate(() => { source.close(); connect('news') })
  const second = await stream(2)
  assert.deepEqual({ ...second.query, tag: 0 }, { topic: 'a', last_event_id: '6', tag: 0 })
  second.send('id: 8')
  second.send('event: news', 'data: eight')
  await gets(page, 'six', 'eight')

  await page.evaluate(() => { source.close(); connect() })
  assert.equal((await stream(3)).query.last_event_id, '8')
})

test('the tag is random, kept over a reload, and taken over where the server renames it', async t => {
  const page = await open(t)
  const tag = await page.evaluate(() => Sluice.tag())
  assert.match(tag, /^[0-9a-f]{32}$/)
  await page.reload()
  assert.equal(await page.evaluate(() => Sluice.tag()), tag)

  await page.evaluate(() => { window.source = Sluice.eventSource('/events') })
  const first = await stream(1)
  assert.equal(first.query.tag, tag)
  first.ready({ resumed: false, missed: null, tag: 'renamed-by-the-server' })
  await until(() => page.evaluate(() => Sluice.tag() === 'renamed-by-the-server'), 'the new tag')
  await page.reload()
  await page.evaluate(() => { Sluice.eventSource('/events') })
  assert.equal((await stream(2)).query.tag, 'renamed-by-the-server')
})

test('without a sessionStorage the tag lasts as long as the page', async t => {
  const page = await open(t, () => {
    Object.defineProperty(window, 'sessionStorage', { get() { throw new Error('denied') } })
  })
  const tag = await page.evaluate(() => Sluice.tag())
  await page.evaluate(() => connect())
  assert.equal((await stream(1)).query.tag, tag)
})

test("the tab's own echo is skipped, whoever listens; nothing else is", async t => {
  const page = await open(t)
  const tag = await page.evaluate(() => Sluice.tag())
  await page.evaluate(() => connect('moved'))
  const first = await stream(1)
  first.send('id: 1', 'event: moved', `data: {"session_tag":"${tag}"}`)
  first.send('id: 2', `data: {"session_tag":"${tag}"}`)
  const others = ['{"session_tag":"another"}', `{"text":"${tag}"}`, `${tag}, not JSON`, `"${tag}"`, 'null']
  others.forEach((data, place) => first.send(place % 2 ? 'event: moved' : 'event: message', `data: ${data}`))
  await gets(page, ...others)
})

test('ready, resync and lost are told, and a resync where a stream did not resume', async t => {
  const page = await open(t)
  await page.evaluate(() => connect())
  const expect = async (...list) => {
    await until(async () => (await told(page)).length >= list.length, JSON.stringify(list.at(-1)))
    assert.deepEqual(await told(page), list)
  }
  const verdicts = [{ resumed: false, missed: null, tag: 'a'.repeat(16) }, { resumed: true, missed: 3 },
    { resumed: false, missed: 9 }]
  const list = [['ready', verdicts[0]], ['resync', { reason: 'connect', missed: null }]]

  const first = await stream(1)
  first.ready(verdicts[0])
  await expect(...list)
  first.send('event: resync', 'data: {"reason":"lagged","missed":4}')
  list.push(['resync', { reason: 'lagged', missed: 4 }])
  await expect(...list)
  first.end()

  const second = await stream(2)
  second.ready(verdicts[1])
  list.push(['lost', { closed: false }], ['ready', verdicts[1]])
  await expect(...list)
  second.end()

  const third = await stream(3)
  third.ready(verdicts[2])
  list.push(['lost', { closed: false }], ['ready', verdicts[2]], ['resync', { reason: 'reconnect', missed: 9 }])
  await expect(...list)
  third.send('event: error', 'data: an event of that name is no loss')
  third.send('data: last')
  await gets(page, 'last')
  await expect(...list)
})

test('htmx gets its EventSources here, and its requests to this origin carry the tag', async t => {
  const page = await open(t)
  await page.evaluate(() => { window.source = htmx.createEventSource('/events') })
  assert.equal((await stream(1)).query.tag, await page.evaluate(() => Sluice.tag()))
  assert.equal(await page.evaluate(() => source.withCredentials), true)

  const headers = await page.evaluate(async () => {
    const seen = []
    htmx.config.selfRequestsOnly = false
    window.addEventListener('htmx:configRequest', event => {
      seen.push(event.detail.headers['X-Session-Tag'])
      event.preventDefault()
    })
    htmx.ajax('GET', '/here', 'body')
    htmx.ajax('GET', 'http://elsewhere.invalid/', 'body')
    return seen
  })
  assert.deepEqual(headers, [await page.evaluate(() => Sluice.tag()), undefined])
})

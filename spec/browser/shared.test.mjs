// client/shared.js, client/worker.js and client/connection.js in a real browser, against a server that the test
// plays: which streams there are, what is asked of the topics' route, what each tab hears.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { launch, PATIENCE, ROOT, until } from './world.mjs'

const PAGE = `<!doctype html><body><script src="/client/sluice.js"></script><script type="module">
  import { shared } from '/client/shared.js'
  window.shared = shared
</script>`

const MANUAL = fs.readFileSync(`${ROOT}/docs/client.md`, 'utf8').match(/```html\n(.*?)```/s)[1]

let browser, server, origin
let streams, calls, answers // of the running test

function serve(request, response) {
  const url = new URL(request.url, origin)
  if (url.pathname === '/events') return serve_stream(url, request, response)
  if (url.pathname.startsWith('/topics')) return serve_topics(url, request, response)
  const script = url.pathname.startsWith('/client/')
  response.writeHead(200, { 'Content-Type': script ? 'text/javascript' : 'text/html' })
  response.end(script ? fs.readFileSync(ROOT + url.pathname) : url.pathname === '/manual' ? MANUAL : PAGE)
}

// A request without a tag only asks how the stream would answer.
function serve_stream(url, request, response) {
  const query = url.searchParams
  const stream = { topics: query.getAll('topic').sort(), cursor: query.get('last_event_id'), tag: query.get('tag') }
  stream.header = request.headers['last-event-id']
  const status = answers.stream(stream)
  response.writeHead(status, { 'Content-Type': 'text/event-stream' })
  if (status !== 200 || !stream.tag) return response.end(': no\n\n')
  response.write('retry: 50\n\n')
  Object.assign(stream, {
    open: true,
    send: (...lines) => response.write(lines.join('\n') + '\n\n'),
    ready: (id, resumed = false) => stream.send(`id: ${id}`, 'event: ready', `data: {"resumed":${resumed},"missed":null}`),
    end: () => response.end(),
  })
  response.on('close', () => { stream.open = false })
  streams.push(stream)
}

function serve_topics(url, request, response) {
  let body = ''
  request.on('data', text => { body += text })
  request.on('end', () => {
    const rest = decodeURIComponent(url.pathname.slice('/topics/'.length))
    const call = { method: request.method, tag: request.headers['x-session-tag'] }
    call.topics = request.method === 'POST' ? JSON.parse(body).topics : [rest]
    calls.push(call)
    const [status, answer] = answers.topics(call)
    response.writeHead(status, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify(answer ?? {}))
  })
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

/** A browser profile of its own: `tab(topics, options)` opens a page that wants these. */
async function profile(t, prepare) {
  streams = []
  calls = []
  answers = { stream: () => 200, topics: () => [200, { refused: {} }] }
  const context = await browser.newContext()
  t.after(() => context.close())
  if (prepare) await context.addInitScript(prepare)
  return { context, tab: (topics = [], options = {}) => tab(context, topics, options) }
}

async function tab(context, topics, options) {
  const page = await context.newPage()
  await page.goto(origin)
  await page.waitForFunction(() => window.shared)
  await page.evaluate(([topics, options]) => {
    window.heard = []
    window.live = shared('/events', options)
    for (const what of ['ready', 'resync', 'lost', 'refused', 'ended']) {
      live.addEventListener(what, ({ detail }) => heard.push([what, detail]))
    }
    window.offs = {}
    window.want = topic => { offs[topic] = live.on(topic, event => heard.push([event.type, event.data])) }
    topics.forEach(want)
  }, [topics, options])
  return {
    page,
    heard: what => page.evaluate(what => heard.filter(one => one[0] === what).map(one => one[1]), what),
    want: topic => page.evaluate(topic => want(topic), topic),
    drop: topic => page.evaluate(topic => offs[topic](), topic),
    tag: () => page.evaluate(() => live.fetch('/').then(() => live.tag)),
    async hears(what, ...list) {
      await until(async () => (await this.heard(what)).length >= list.length, `${what} ${JSON.stringify(list)}`)
      assert.deepEqual(await this.heard(what), list)
    },
  }
}

async function stream(count) {
  await until(() => streams.length >= count, `stream ${count}`)
  assert.equal(streams.length, count)
  return streams[count - 1]
}

const asked = (...list) => until(() => calls.length >= list.length, JSON.stringify(list))
  .then(() => assert.deepEqual(calls.map(call => `${call.method} ${call.topics}`), list))

const ready = (topics, resumed = false) => ({ topics, resumed, missed: null })

test('three tabs have one connection, and each hears its own topics', async t => {
  const { tab } = await profile(t)
  const one = await tab(['a', 'b'])
  const first = await stream(1)
  assert.deepEqual(first.topics, ['a', 'b'])
  first.ready('r1')
  await one.hears('ready', ready(['a', 'b']))

  const two = await tab(['b'])
  const three = await tab(['c'])
  await two.hears('ready', ready(['b']))
  await three.hears('ready', ready(['c']))
  first.send('id: 1', 'event: a', 'data: 1')
  first.send('id: 2', 'event: b', 'data: 2')
  first.send('id: 3', 'event: c', 'data: 3')
  await three.hears('c', '3')
  await two.hears('b', '2')
  await one.hears('b', '2')
  await one.hears('a', '1')
  assert.deepEqual([await two.heard('a'), await three.heard('b'), await one.heard('c')], [[], [], []])
  assert.equal(streams.length, 1)
  await asked('POST c')
})

test('a topic is added and dropped while the stream lives, counted over the tabs', async t => {
  const { tab } = await profile(t)
  const one = await tab(['a'])
  const first = await stream(1)
  first.ready('r1')
  await one.hears('ready', ready(['a']))
  const two = await tab(['a'])
  await two.hears('ready', ready(['a']))

  await two.want('b')
  await two.hears('ready', ready(['a']), ready(['b']))
  await asked('POST b')
  assert.equal(calls[0].tag, first.tag)
  first.send('id: 1', 'event: b', 'data: 1')
  await two.hears('b', '1')

  await one.drop('a') // the other still wants it
  await two.drop('b')
  await asked('POST b', 'DELETE b')
  await two.drop('a')
  await until(() => !first.open, 'a stream that nobody wants to end')
  assert.equal(streams.length, 1)
})

test('a stream that the browser reconnects has the topics that were added, from its cursor on', async t => {
  const { tab } = await profile(t)
  const one = await tab(['a'])
  const first = await stream(1)
  first.ready('r1')
  await one.hears('ready', ready(['a']))
  await one.want('b')
  await one.hears('ready', ready(['a']), ready(['b']))
  first.send('id: 7', 'event: b', 'data: seven')
  await one.hears('b', 'seven')

  first.end()
  const second = await stream(2) // the browser's, with the first one's URL
  assert.deepEqual(second.topics, ['a'])
  assert.equal(second.header, '7')
  second.ready('r2', true)
  second.send('id: 8', 'event: a', 'data: not yet')
  const third = await stream(3)
  assert.deepEqual([third.topics, third.cursor], [['a', 'b'], '7'])
  third.ready('r3', true)
  await one.hears('ready', ready(['a']), ready(['b']), ready(['a', 'b'], true))
  assert.deepEqual(await one.heard('a'), [])
})

test('without the route, or the stream behind it, a new stream takes the new topics', async t => {
  const { tab } = await profile(t)
  answers.topics = () => [404]
  const one = await tab(['a'])
  const first = await stream(1)
  first.ready('r1')
  await one.hears('ready', ready(['a']))

  await one.want('b')
  const second = await stream(2)
  assert.deepEqual([second.topics, second.cursor], [['a', 'b'], 'r1'])
  await until(() => !first.open, 'the first to end')
  second.ready('r2', true)
  // Nothing of `a` was missed; of `b` nothing is known, whatever was replayed.
  await one.hears('ready', ready(['a']), ready(['a'], true), ready(['b']))
})

test('a hard failure gives the cursor back, and says its status meanwhile', async t => {
  const { tab } = await profile(t)
  const one = await tab(['a'])
  const first = await stream(1)
  first.ready('r1')
  first.send('id: 5', 'event: a', 'data: five')
  await one.hears('a', 'five')

  let refusals = 3
  answers.stream = () => refusals-- > 0 ? 503 : 200
  first.end()
  const second = await stream(2)
  assert.deepEqual([second.topics, second.cursor, second.header], [['a'], '5', undefined])
  second.ready('r2', true)
  await one.hears('ready', ready(['a']), ready(['a'], true))
  const lost = await one.heard('lost')
  assert.ok(lost.some(how => how.closed && how.status === 503), JSON.stringify(lost))
})

test('one topic that is refused costs the others nothing', async t => {
  const { tab } = await profile(t)
  answers.stream = ({ topics }) => topics.includes('secret') ? 403 : 200
  answers.topics = ({ topics }) => [200, { refused: topics.includes('secret') ? { secret: 'forbidden' } : {} }]
  const one = await tab(['a', 'secret'])
  const first = await stream(1)
  assert.deepEqual(first.topics, [])
  first.ready('r1')
  await one.hears('refused', { topic: 'secret', code: 'forbidden' })
  await one.hears('ready', ready(['a']))
  first.send('id: 1', 'event: a', 'data: 1')
  await one.hears('a', '1')

  first.end() // and it is not asked for again
  await stream(2)
  streams[1].ready('r2', true)
  const third = await stream(3)
  assert.deepEqual(third.topics, ['a'])
})

test('without the route a topic that is refused is found by asking for each', async t => {
  const { tab } = await profile(t)
  answers.stream = ({ topics }) => topics.includes('secret') ? 403 : 200
  answers.topics = () => [405]
  const one = await tab(['a', 'secret', 'b'])
  const first = await stream(1)
  first.ready('r1')
  const second = await stream(2)
  assert.deepEqual(second.topics, ['a', 'b'])
  second.ready('r2', true)
  await one.hears('refused', { topic: 'secret', code: 'forbidden' })
  await one.hears('ready', ready(['a', 'b']))
})

test('what the server cannot say is asked again, and nothing is told before', async t => {
  const { tab } = await profile(t)
  const one = await tab(['a'])
  const first = await stream(1)
  first.ready('r1')
  await one.hears('ready', ready(['a']))
  const unsure = [[503], [200, { refused: { b: 'unknown' } }], [200, { refused: {} }]]
  answers.topics = () => unsure.shift()
  await one.want('b')
  await asked('POST b', 'POST b', 'POST b')
  await one.hears('ready', ready(['a']), ready(['b']))
  assert.deepEqual(await one.heard('refused'), [])
  assert.equal(streams.length, 1)
})

test("resync goes to the tabs whose topics it names, or to all", async t => {
  const { tab } = await profile(t)
  const one = await tab(['a'])
  const first = await stream(1)
  first.ready('r1')
  await one.hears('ready', ready(['a']))
  const two = await tab(['b'])
  await two.hears('ready', ready(['b']))
  first.send('id: 2', 'event: resync', 'data: {"reason":"rule","missed":null,"topics":["b"]}')
  first.send('id: 3', 'event: resync', 'data: {"reason":"lagged","missed":4}')
  await two.hears('resync', { reason: 'rule', missed: null, topics: ['b'] }, { reason: 'lagged', missed: 4, topics: ['b'] })
  await one.hears('resync', { reason: 'lagged', missed: 4, topics: ['a'] })
})

test("a tab's own echo is not dispatched in it, in others it is", async t => {
  const { tab } = await profile(t)
  const one = await tab(['a'])
  const first = await stream(1)
  first.ready('r1')
  const two = await tab(['a'])
  await two.hears('ready', ready(['a']))
  const tags = [await one.tag(), await two.tag()]
  assert.match(tags[0], /^[A-Za-z0-9_-]{16,64}$/)
  assert.notEqual(tags[0], tags[1])
  assert.equal(new Set([...tags, first.tag]).size, 3)

  first.send('id: 1', 'event: a', `data: {"session_tag":"${tags[0]}","n":1}`)
  first.send('id: 2', 'event: a', `data: {"text":"${tags[0]}","n":2}`)
  await two.hears('a', `{"session_tag":"${tags[0]}","n":1}`, `{"text":"${tags[0]}","n":2}`)
  await one.hears('a', `{"text":"${tags[0]}","n":2}`)
})

test('a duplicated tab gets a tag of its own, a loaded one keeps its; sluice.js has the same', async t => {
  const { context, tab } = await profile(t)
  const one = await tab(['a'])
  const first = await one.tag()
  await one.page.reload()
  await one.page.evaluate(() => { window.live = shared('/events') })
  assert.equal(await one.tag(), first)
  assert.equal(await one.page.evaluate(() => Sluice.tag()), first)

  await context.addInitScript(copy => sessionStorage.getItem('sluice-tag') ?? sessionStorage.setItem('sluice-tag', copy), first)
  const two = await tab(['a'])
  assert.notEqual(await two.tag(), first)
  assert.equal(await two.page.evaluate(() => Sluice.tag()), await two.tag())
  assert.equal(await two.page.evaluate(() => sessionStorage.getItem('sluice-tag')), await two.tag())
})

test("a dead page's topics are dropped", async t => {
  const { context, tab } = await profile(t)
  const one = await tab(['a'])
  const first = await stream(1)
  first.ready('r1')
  const two = await tab(['b'])
  await two.hears('ready', ready(['b']))

  // No handler of it runs: what a crash, or the end of a phone's patience, looks like.
  const devtools = await context.newCDPSession(two.page)
  devtools.send('Page.crash').catch(() => {})
  await asked('POST b', 'DELETE b')
  assert.ok(first.open)
  assert.deepEqual(await one.heard('lost'), [])
})

test('a worker that the browser has ended is started anew', async t => {
  const { tab } = await profile(t)
  const one = await tab(['a'])
  const two = await tab(['b'])
  const first = await stream(1)
  first.ready('r1')
  await two.hears('ready', ready(['b']))
  const devtools = await browser.newBrowserCDPSession()
  const { targetInfos } = await devtools.send('Target.getTargets')
  const workers = targetInfos.filter(target => target.type === 'shared_worker' && target.url.startsWith(origin))
  for (const { targetId } of workers) {
    const { sessionId } = await devtools.send('Target.attachToTarget', { targetId, flatten: false })
    const message = JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression: 'self.close()' } })
    await devtools.send('Target.sendMessageToTarget', { sessionId, message })
    await devtools.send('Target.detachFromTarget', { sessionId })
  }
  const second = await stream(2)
  second.ready('r2')
  await until(async () => (await one.heard('ready')).length + calls.length >= 2, 'both to be heard')
  await until(async () => {
    const heard = [await one.heard('ready'), await two.heard('ready')].map(list => list.flatMap(one => one.topics))
    return JSON.stringify(heard) === '[["a","a"],["b","b"]]'
  }, 'ready in both')
  assert.ok((await one.heard('lost')).length > 0)
  assert.equal(streams.length, 2)
})

test('pages without locks are asked whether they are there', async t => {
  const { context, tab } = await profile(t, () => {
    Object.defineProperty(Navigator.prototype, 'locks', { get() { return undefined } })
  })
  await tab(['a'], { ping: 0.3 })
  const first = await stream(1)
  first.ready('r1')
  const two = await tab(['b'], { ping: 0.3 })
  await two.hears('ready', ready(['b']))
  await sleep(2_000) // who answers stays
  await asked('POST b')
  const devtools = await context.newCDPSession(two.page)
  devtools.send('Page.crash').catch(() => {})
  await asked('POST b', 'DELETE b')
  assert.ok(first.open)
})

for (const [what, prepare, options] of [
  ['without SharedWorker', () => { delete window.SharedWorker }, {}],
  ['where the worker cannot be had', () => {}, { worker: '/nothing-of-that-name.js' }],
  ['by its own wish', () => {}, { worker: false }],
]) {
  test(`${what} a page connects itself, in the same words`, async t => {
    const { tab } = await profile(t, prepare)
    const one = await tab(['a'], options)
    const first = await stream(1)
    first.ready('r1')
    await one.hears('ready', ready(['a']))
    const two = await tab(['b'], options)
    const second = await stream(2)
    second.ready('r2')
    await two.hears('ready', ready(['b']))
    await one.want('b')
    await asked('POST b')
    first.send('id: 1', 'event: b', `data: {"session_tag":"${await one.tag()}"}`)
    first.send('id: 2', 'event: b', 'data: 2')
    await one.hears('b', '2')
  })
}

test('the page of docs/client.md does what is said there', async t => {
  const { context } = await profile(t)
  const page = await context.newPage()
  page.on('pageerror', error => { throw error })
  await page.goto(`${origin}/manual`)
  const shows = text => page.locator('#log li').getByText(text, { exact: true }).waitFor({ timeout: 5_000 * PATIENCE })
  const first = await stream(1)
  assert.deepEqual(first.topics, ['project-board.7', 'project-board.9'])
  assert.equal(await page.locator('#state').textContent(), 'Connecting…')
  first.ready('r1')
  await shows('read project-board.7')
  await shows('read project-board.9')
  assert.equal(await page.locator('#state').textContent(), 'Live')
  first.send('id: 1', 'event: project-board.9', 'data: {"type":"card.moved"}')
  await shows('card.moved on project-board.9')
  first.send('id: 2', 'event: resync', 'data: {"reason":"rule","topics":["project-board.7"]}')
  await shows('read project-board.7 again: rule')
  assert.equal(await page.locator('#log li').count(), 4)
  first.end()
  await page.getByText('Reconnecting…').waitFor()
  const second = await stream(2)
  second.ready('r2', true)
  await page.getByText('Live').waitFor()
  assert.equal(await page.locator('#log li').count(), 4)
})

test('users do not share: another one has another stream', async t => {
  const { tab } = await profile(t)
  await tab(['a'], { user: 'ann' })
  await stream(1)
  await tab(['a'], { user: 'bob' })
  await stream(2)
})

test('who ends it ends it for all tabs', async t => {
  const { tab } = await profile(t)
  const one = await tab(['a'])
  const two = await tab(['b'])
  const first = await stream(1)
  first.ready('r1')
  await two.page.evaluate(() => live.end())
  await one.hears('ended', {})
  await two.hears('ended', {})
  await until(() => !first.open, 'the stream to end')
  assert.equal(await one.page.evaluate(() => live.open), false)
})

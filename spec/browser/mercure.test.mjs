// rules/mercure.lua and clients of the Mercure protocol in a real browser: its own EventSource with the cookie that the
// app set, and npm's event-source-polyfill with a token in a header; both on a page of the app's, another origin.

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { freePort, launch, Process, Proxy, ROOT, until, visit } from './world.mjs'

const PUBLISH_KEY = 'p'.repeat(40)
const SUBSCRIBE_KEY = 's'.repeat(40)
const HUB = '/.well-known/mercure'
const BOOK = 'https://example.com/books/1'
const POLYFILL = path.join(ROOT, 'spec/browser/node_modules/event-source-polyfill/src/eventsource.min.js')
const PAGE = '<!doctype html><title>the app</title><script src="/polyfill.js"></script>'

const encode = value => Buffer.from(JSON.stringify(value)).toString('base64url')

function sign(claim, key) {
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ mercure: claim })}`
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
}

const READER = sign({ subscribe: ['https://example.com/books/{id}'] }, SUBSCRIBE_KEY)

let app, browser, folder, hub, origin, proxy

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-mercure-'))
  app = http.createServer((request, response) => {
    const script = request.url === '/polyfill.js'
    response.writeHead(200, { 'Content-Type': script ? 'text/javascript' : 'text/html' })
    response.end(script ? fs.readFileSync(POLYFILL) : PAGE)
  }).listen(0, '127.0.0.1')
  await once(app, 'listening')
  origin = `http://127.0.0.1:${app.address().port}`
  hub = new Process('mercure', folder, await freePort(), await freePort(), ['rules/mercure.lua'], {
    MERCURE_PUBLISHER_JWT_KEY: PUBLISH_KEY, MERCURE_SUBSCRIBER_JWT_KEY: SUBSCRIBE_KEY, MERCURE_ANONYMOUS: '1',
    MERCURE_CORS_ORIGINS: origin, MERCURE_SUBSCRIPTIONS: '1',
  })
  await hub.start()
  proxy = new Proxy()
  await proxy.listen(hub.port)
  browser = await launch()
})
after(async () => {
  await browser.close()
  proxy.close()
  await hub.stop()
  app.closeAllConnections()
  app.close()
  fs.rmSync(folder, { recursive: true })
})

async function publish(data, more = {}) {
  const answer = await fetch(`http://${hub.address}${HUB}`, {
    method: 'POST', body: new URLSearchParams({ topic: BOOK, data, ...more }),
    headers: { authorization: `Bearer ${sign({ publish: ['*'] }, PUBLISH_KEY)}` },
  })
  assert.equal(answer.status, 200)
  return answer.text()
}

/** A page of the app's with a source open on the hub: `got()` is what came, `opened()` how often it was opened. */
async function open(t, { cookie, make, options }) {
  const context = await browser.newContext()
  t.after(() => context.close())
  if (cookie) {
    await context.addCookies([{ name: 'mercureAuthorization', value: cookie, domain: '127.0.0.1', path: HUB, httpOnly: true }])
  }
  const page = await context.newPage()
  await visit(page, origin)
  const url = new URL(proxy.url + HUB)
  url.searchParams.append('topic', 'https://example.com/books/{id}')
  await page.evaluate(([make, url, options]) => {
    window.got = []
    window.opened = 0
    const source = new window[make](url, options)
    source.onmessage = event => window.got.push([event.data, event.lastEventId])
    source.onopen = () => { window.opened++ }
  }, [make, url.href, options])
  const tab = {
    page,
    got: () => page.evaluate(() => window.got),
    opened: () => page.evaluate(() => window.opened),
    data: async () => (await tab.got()).map(([data]) => data),
  }
  await until(async () => await tab.opened() === 1, 'the source to open')
  return tab
}

/** Publishes, cuts the connection, publishes while it is away, and expects all of it, once. */
async function survives(tab) {
  const ids = [await publish('one'), await publish('two', { private: 'on' })]
  await until(async () => (await tab.got()).length === 2, 'both to come')
  proxy.cut()
  ids.push(await publish('three', { private: 'on' }))
  await until(async () => await tab.opened() === 2, 'it to come back')
  ids.push(await publish('four'))
  await until(async () => (await tab.got()).length >= 4, 'the rest to come')
  assert.deepEqual(await tab.got(), [['one', ids[0]], ['two', ids[1]], ['three', ids[2]], ['four', ids[3]]])
}

test('the browser\'s own EventSource, with the cookie', async t => {
  await survives(await open(t, { make: 'EventSource', options: { withCredentials: true }, cookie: READER }))
})

test('a polyfill, with the token in a header', async t => {
  await survives(await open(t, { make: 'EventSourcePolyfill', options: { headers: { Authorization: `Bearer ${READER}` } } }))
})

test('without a token a page hears what is public only', async t => {
  const tab = await open(t, { make: 'EventSource' })
  await publish('private', { private: 'on' })
  await publish('public')
  await until(async () => (await tab.got()).length === 1, 'what is public')
  assert.deepEqual(await tab.data(), ['public'])
})

test('a page shows who is there, by events and from the list', async t => {
  const context = await browser.newContext()
  t.after(() => context.close())
  const page = await context.newPage()
  await visit(page, origin)
  const token = sign({ subscribe: [`${HUB}/subscriptions{/topic}{/subscriber}`], payload: { name: 'Ann' } }, SUBSCRIBE_KEY)
  const list = () => page.evaluate(async ([url, token]) => {
    const answer = await fetch(url, { headers: { Authorization: `Bearer ${token}` } })
    return answer.json()
  }, [`${proxy.url}${HUB}/subscriptions/${encodeURIComponent(BOOK)}`, token])
  await page.evaluate(([url, token]) => {
    window.active = []
    const source = new window.EventSourcePolyfill(url, { headers: { Authorization: `Bearer ${token}` } })
    source.onmessage = event => window.active.push(JSON.parse(event.data).active)
    return new Promise(resolve => { source.onopen = resolve })
  }, [`${proxy.url}${HUB}?topic=${encodeURIComponent(`${HUB}/subscriptions/${encodeURIComponent(BOOK)}{/subscriber}`)}`, token])
  assert.equal((await list()).subscriptions.length, 0)
  const other = new AbortController()
  await fetch(`${proxy.url}${HUB}?topic=${encodeURIComponent(BOOK)}`, { signal: other.signal })
  await until(() => page.evaluate(() => window.active.length === 1), 'it to be told')
  const { subscriptions, lastEventID } = await list()
  assert.equal(subscriptions[0].topic, BOOK)
  assert.match(lastEventID, /^urn:uuid:/)
  other.abort()
  await until(() => page.evaluate(() => window.active.length === 2), 'its end to be told')
  assert.deepEqual(await page.evaluate(() => window.active), [true, false])
})

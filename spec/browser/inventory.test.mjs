// The inventory's page in a real browser: examples/inventory and rules/silo.lua together.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { freePort, launch, PATIENCE, Process, Proxy, SCREENS, until, visit } from './world.mjs'

let browser
before(async () => { browser = await launch() })
after(() => browser.close())

/** The stand-in, the event server, a proxy before it whose connections can be cut; ends with the test `t`. */
async function start(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-inventory-'))
  const ports = [await freePort(), await freePort(), await freePort(), await freePort()]
  const PUBLISH_KEY = 'the key'
  const inventory = new Process('inventory', folder, ports[0], ports[1], ['examples/inventory/inventory.lua'],
    { EVENTS_URL: `http://127.0.0.1:${ports[2]}`, PUBLISH_KEY })
  const sluice = new Process('silo', folder, ports[2], ports[3], ['rules/silo.lua', 'examples/inventory/pages.lua'],
    { SILO_URL: `http://${inventory.address}`, PUBLISH_KEY })
  const proxy = new Proxy()
  const contexts = [], faults = []
  t.after(async () => {
    for (const context of contexts) await context.close()
    proxy.close()
    for (const process of [sluice, inventory]) if (process.child) await process.stop()
    fs.rmSync(folder, { recursive: true })
    if (faults.length) throw new Error(faults.join('\n'))
  })
  await proxy.listen(ports[2])
  await Promise.all([inventory.start(), sluice.start()])

  async function open(user, options) {
    const context = await browser.newContext(options)
    contexts.push(context)
    context.setDefaultTimeout(15_000 * PATIENCE)
    await context.addCookies([{ name: 'silo', value: user, url: proxy.url }])
    const page = await context.newPage()
    page.on('pageerror', error => faults.push(`${user}: ${error.stack}`))
    await visit(page, `${proxy.url}/`)
    return page
  }

  const live = page => page.locator('#connection[data-state=live]').waitFor()
  async function user(name, options) {
    const page = await open(name, options)
    await live(page)
    await item(page, 'F0002').waitFor()
    return page
  }
  async function ask(name, method, where, body) {
    const answer = await fetch(`http://${inventory.address}${where}`,
      { method, headers: { cookie: `silo=${name}`, 'content-type': 'application/json' }, body: JSON.stringify(body) })
    assert.ok(answer.ok, `${method} ${where}: ${answer.status}`)
  }
  return { sluice, proxy, open, user, live, ask }
}

const item = (page, number) => page.locator(`.item[data-part="${number}"]`)
const told = (page, text) => page.locator('#feed li').filter({ hasText: text })
const scenario = (name, run) => test(name, { timeout: 60_000 * PATIENCE }, async t => run(await start(t)))

scenario('what one does, the others see: in the list, and in the feed', async world => {
  const ada = await world.user('ada')
  const vera = await world.user('vera', { viewport: { width: 390, height: 844 }, colorScheme: 'dark' })
  const pages = [ada, vera]
  await vera.evaluate(() => { window.loaded_once = true })

  await ada.getByLabel('Description').fill('Circlip, 28 mm')
  await ada.getByRole('button', { name: 'Add' }).click()
  for (const page of pages) await item(page, 'F0008').getByText('Circlip, 28 mm').waitFor()
  await ada.getByRole('button', { name: 'Revise F0002' }).click()
  await ada.getByLabel('What is new in it?').fill('Wall <b>2 mm</b> thicker')
  await ada.keyboard.press('Enter')
  for (const page of pages) {
    await item(page, 'F0002').getByText('r2').waitFor()
    await told(page, 'Wall <b>2 mm</b> thicker').waitFor()
  }
  await ada.getByRole('button', { name: 'Delete D0007' }).click()
  await ada.locator('dialog').getByRole('button', { name: 'Delete' }).click()
  for (const page of pages) await item(page, 'D0007').waitFor({ state: 'detached' })
  await ada.getByLabel('Mode').selectOption('read-only')
  await vera.getByText('Read-only: nothing can be changed now.').waitFor()
  assert.equal(await told(vera, 'read-only').count(), 1)
  assert.deepEqual(await vera.locator('.item button, #create:visible').count(), 0)
  assert.ok(await vera.evaluate(() => window.loaded_once))
  assert.ok(await vera.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'wider than the phone')
  fs.mkdirSync(SCREENS, { recursive: true })
  await ada.screenshot({ path: path.join(SCREENS, 'inventory.png') })
  await vera.screenshot({ path: path.join(SCREENS, 'inventory-phone-dark.png') })
})

scenario('who may not see it is told so; who comes later learns the mode', async world => {
  await (await world.open('gus')).getByText('once somebody has made you a viewer').waitFor()
  await world.ask('ada', 'PUT', '/mode', { mode: 'maintenance' })
  await (await world.user('vera')).getByText('Maintenance: nothing can be changed now.').waitFor()
})

scenario('a cut, and then a proxy that says 502: a new stream goes on where the old one was', async world => {
  const vera = await world.user('vera')
  await world.ask('egil', 'POST', '/items', { item_type: 'part', description: 'Before' })
  await told(vera, 'Before').waitFor()
  await vera.evaluate(() => { window.loaded_once = true })
  const streams = [], lists = []
  vera.on('request', request => {
    const { pathname } = new URL(request.url())
    if (pathname === '/api/events') streams.push(request.url())
    if (pathname === '/items') lists.push(request.url())
  })
  let refused = 0
  await vera.route('**/api/events*', route => ++refused <= 2 ? route.fulfill({ status: 502, body: '' }) : route.continue())
  world.proxy.cut()
  await vera.locator('#connection[data-state=lost]').waitFor()
  await world.ask('egil', 'POST', '/items', { item_type: 'part', description: 'Meanwhile' })
  await told(vera, 'Meanwhile').waitFor()
  await world.live(vera)
  assert.ok(refused >= 3 && streams.at(-1).includes('last_event_id='), streams.join('\n'))
  assert.equal(await told(vera, 'Meanwhile').count(), 1)
  assert.deepEqual(lists, [])
  assert.ok(await vera.evaluate(() => window.loaded_once))
})

scenario('an event server that was restarted: the list is read again, and the feed goes on', async world => {
  const vera = await world.user('vera')
  await world.sluice.kill()
  await vera.locator('#connection[data-state=lost]').waitFor()
  await world.ask('egil', 'POST', '/items', { item_type: 'part', description: 'While it was away' })
  await world.sluice.start()
  await world.live(vera)
  await item(vera, 'F0008').waitFor()
  await world.ask('egil', 'POST', '/items', { item_type: 'part', description: 'After it' })
  await told(vera, 'After it').waitFor()
  await until(async () => await item(vera, 'F0009').count() === 1, 'the item')
})

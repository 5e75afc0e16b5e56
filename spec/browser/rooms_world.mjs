// A world for a spec of the rooms: the event server and the stand-in for the rooms' app, each a process of the real
// binary, a proxy before the first whose connections can be cut, and people in tabs of Chromium.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { freePort, PATIENCE, Process, Proxy, until, visit } from './world.mjs'

const KEYS = {
  PERSONA_PUBLISH_KEY: 'what the app publishes with',
  PERSONA_JWT_KEY: 'what the app signs tokens with, and nobody else',
  PERSONA_REFUSAL: 'retry',
}

/** One page; it is somebody once `sign_in` has been called. */
class Tab {
  constructor(world, page) { Object.assign(this, { world, page }) }

  async sign_in(name) {
    await this.page.getByRole('button', { name }).click()
    await this.live()
  }

  live() { return this.page.locator('#connection[data-state=live]').waitFor({ timeout: 15_000 * PATIENCE }) }
  lost() { return this.page.locator('#connection[data-state=lost]').waitFor({ timeout: 15_000 * PATIENCE }) }

  async enter(room) {
    await this.page.getByRole('link', { name: room, exact: true }).click()
    await this.page.getByRole('heading', { name: room }).waitFor()
    await this.live()
  }

  async say(text) {
    await this.page.getByRole('textbox').fill(text)
    await this.page.keyboard.press('Enter')
  }

  async paint(title) {
    await this.page.getByRole('textbox').fill(title)
    await this.page.getByRole('button', { name: 'Paint it' }).click()
  }

  /** All that is said in the room, as `name: text`. */
  said() {
    return this.page.locator('#timeline li[data-kind=chat]').evaluateAll(all => all.map(one =>
      `${one.dataset.user}: ${one.querySelector('.said').textContent}`))
  }

  async hears(...lines) {
    await until(async () => JSON.stringify(await this.said()) === JSON.stringify(lines), lines.join(', '))
      .catch(async error => { throw new Error(`${error.message}; said is ${(await this.said()).join(', ')}`) })
  }

  here() { return this.page.locator('#here li').evaluateAll(all => all.map(one => one.dataset.user)) }

  async sees(...users) {
    await until(async () => JSON.stringify(await this.here()) === JSON.stringify(users), `${users.join(', ')} to be here`)
      .catch(async error => { throw new Error(`${error.message}; here is ${(await this.here()).join(', ')}`) })
  }

  job(title) { return this.page.locator('.job').filter({ has: this.page.getByText(title, { exact: true }) }) }
}

/** Starts a world that ends with the test `t`. `env`: more of the app's environment. */
export async function start(t, browser, env) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-rooms-'))
  const ports = [await freePort(), await freePort(), await freePort(), await freePort()]
  const app = new Process('app', folder, ports[0], ports[1], ['examples/rooms/app.lua'],
    { ...KEYS, ...env, EVENTS_URL: `http://127.0.0.1:${ports[2]}` })
  const sluice = new Process('rooms', folder, ports[2], ports[3], ['rules/persona.lua', 'examples/rooms/pages.lua'],
    { ...KEYS, ROOMS_URL: `http://${app.address}` })
  const proxy = new Proxy()
  const contexts = []
  const world = {
    app, sluice, proxy,
    faults: [], // of pages' scripts; a test that leaves one has failed

    async context(options) {
      const context = await browser.newContext(options)
      contexts.push(context)
      context.setDefaultTimeout(10_000 * PATIENCE)
      return context
    },

    /** How many streams have ended for that reason. */
    async ended(reason) {
      const metrics = await (await fetch(`http://${sluice.admin}/metrics`)).text()
      return Number(metrics.match(new RegExp(`^sluice_streams_ended_total{reason="${reason}"} (\\d+)$`, 'm'))[1])
    },

    /** Tabs of one browser, each somebody else: their names. */
    async tabs(...names) {
      const context = await world.context()
      const tabs = []
      for (const name of names) tabs.push(await world.tab(context, name))
      return tabs
    },

    async tab(context, name) {
      const page = await context.newPage()
      page.on('pageerror', error => world.faults.push(`${name}: ${error.stack}`))
      await visit(page, world.url)
      const tab = new Tab(world, page)
      await tab.sign_in(name)
      return tab
    },
  }

  t.after(async () => {
    for (const context of contexts) await context.close()
    proxy.close()
    const ends = []
    for (const process of [sluice, app]) if (process.child) ends.push(process.stop())
    const failures = (await Promise.allSettled(ends)).filter(end => end.reason).map(end => end.reason.message)
    fs.rmSync(folder, { recursive: true })
    if (failures.length + world.faults.length) throw new Error([...failures, ...world.faults].join('\n'))
  })

  await proxy.listen(ports[2])
  world.url = proxy.url
  await Promise.all([app.start(), sluice.start()])
  return world
}

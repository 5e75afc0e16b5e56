// A world for a spec of the rooms: the event server - or several nodes on a Redis - and the stand-in for the rooms' app,
// each a process of the real binary, a proxy before the first node whose connections can be cut, and people in tabs of
// Chromium.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
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

/** A redis-server on a port of its own. */
class Redis {
  async start(folder) {
    this.port = await freePort()
    this.url = `redis://127.0.0.1:${this.port}`
    this.child = spawn('redis-server', ['--port', this.port, '--bind', '127.0.0.1', '--save', '', '--dir', folder],
      { stdio: 'ignore' })
    this.exited = once(this.child, 'exit')
    await until(() => new Promise(resolve => {
      const socket = net.connect(this.port, '127.0.0.1', () => { socket.destroy(); resolve(true) })
      socket.on('error', () => resolve(false))
    }), 'redis-server')
  }

  /** Publishes what an app would: how many listen. */
  async publish(channel, message) {
    const text = JSON.stringify(message)
    const { stdout } = await promisify(execFile)('redis-cli', ['-p', this.port, 'PUBLISH', channel, text])
    return Number(stdout)
  }

  /** Away for the nodes, and back as it was. */
  pause() { this.child.kill('SIGSTOP') }
  go_on() { this.child.kill('SIGCONT') }

  async stop() {
    this.go_on()
    this.child.kill('SIGTERM')
    await this.exited
  }
}

/** Starts a world that ends with the test `t`: one node, or `nodes` on a Redis. `env`: more of the app's environment. */
export async function start(t, browser, { nodes: count = 1, env } = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-rooms-'))
  const ports = [await freePort(), await freePort(), await freePort(), await freePort()]
  const redis = count > 1 ? new Redis() : null
  await redis?.start(folder)
  const shared = redis ? { PERSONA_REDIS: redis.url } : {}
  const app = new Process('app', folder, ports[0], ports[1], ['examples/rooms/app.lua'],
    { ...KEYS, ...shared, ...env, EVENTS_URL: `http://127.0.0.1:${ports[2]}` })
  const nodes = []
  for (let i = 0; i < count; i++) {
    const [port, admin] = i === 0 ? ports.slice(2) : [await freePort(), await freePort()]
    nodes.push(new Process(`rooms-${i}`, folder, port, admin, ['rules/persona.lua', 'examples/rooms/pages.lua'],
      { ...KEYS, ...shared, ROOMS_URL: `http://${app.address}`, ROOMS_NODE: redis ? 'ABCD'[i] : '' },
      redis ? `redis = "${redis.url}"` : ''))
  }
  const [sluice] = nodes
  const proxy = new Proxy()
  const contexts = []
  const world = {
    app, sluice, nodes, redis, proxy,
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

    /** On the first node by way of the proxy, or on `node`. */
    async tab(context, name, node) {
      const page = await context.newPage()
      page.on('pageerror', error => world.faults.push(`${name}: ${error.stack}`))
      await visit(page, node ? `http://${node.address}` : world.url)
      const tab = new Tab(world, page)
      await tab.sign_in(name)
      return tab
    },
  }

  t.after(async () => {
    for (const context of contexts) await context.close()
    proxy.close()
    const ends = []
    for (const process of [...nodes, app]) if (process.child) ends.push(process.stop())
    const failures = (await Promise.allSettled(ends)).filter(end => end.reason).map(end => end.reason.message)
    await redis?.stop()
    fs.rmSync(folder, { recursive: true })
    if (failures.length + world.faults.length) throw new Error([...failures, ...world.faults].join('\n'))
  })

  await proxy.listen(ports[2])
  world.url = proxy.url
  await Promise.all([app, ...nodes].map(process => process.start()))
  if (redis) await until(() => nodes.some(node => node.log.includes('source listens')), 'one that listens', 20_000)
  return world
}

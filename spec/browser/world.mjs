// A world for a browser spec: the event server and the stand-in posta server, each a process of the real binary
// on ports of its own, a proxy before the first whose connections can be cut, and users in Chromium.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
const BINARY = path.resolve(ROOT, process.env.SLUICE_BUILD ?? 'build', 'sluice')
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync']

/** Time-outs are this many times longer where everything is slower, under a sanitizer. */
export const PATIENCE = Number(process.env.SLUICE_PATIENCE ?? 1)
export const SCREENS = path.join(ROOT, 'build/screens')

/** Waits until `holds()` is true; raises with `what` where it is not within the time. */
export async function until(holds, what, timeout = 10_000) {
  const end = Date.now() + timeout * PATIENCE
  while (!await holds()) {
    if (Date.now() > end) throw new Error(`waited ${timeout * PATIENCE} ms for ${what}`)
    await sleep(20)
  }
}

export async function launch() {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
}

/** Opens an address. On a busy machine Chromium was seen to give up with ERR_SOCKET_NOT_CONNECTED before it sent
 * anything; as a person would, it is asked again. */
export async function visit(page, url) {
  for (let tries = 3; ; tries--) {
    try {
      return await page.goto(url)
    } catch (error) {
      if (tries === 1 || !error.message.includes('ERR_SOCKET_NOT_CONNECTED')) throw error
    }
  }
}

// Below the ports that the kernel gives to whoever asks for any: test files run side by side, and what one has just
// found free must not be another's before its program takes it.
export async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000)
    const server = net.createServer().listen(port, '127.0.0.1')
    if (!await once(server, 'listening').then(() => true, () => false)) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

/** One process of the binary with its config, `more` lines of it, to be started, killed, stopped and started again. */
export class Process {
  constructor(name, folder, port, adminPort, rules, env, more = '') {
    Object.assign(this, { name, port, env, log: '', address: `127.0.0.1:${port}`, child: null })
    this.admin = `127.0.0.1:${adminPort}`
    this.conf = path.join(folder, `${name}.conf`)
    const files = rules.map(file => JSON.stringify(path.join(ROOT, file)))
    fs.writeFileSync(this.conf,
      `listen = "${this.address}"\nadmin = "${this.admin}"\nrules = { ${files.join(', ')} }\n${more}\n`)
  }

  async start() {
    const child = spawn(BINARY, ['run', '-c', this.conf], { cwd: ROOT, env: { ...process.env, ...this.env } })
    this.child = child
    this.exited = once(child, 'exit')
    child.stdout.on('data', text => { this.log += text })
    child.stderr.on('data', text => { this.log += text })
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`${this.name} did not start:\n${this.log}`)
      return fetch(`http://${this.admin}/health`).then(answer => answer.ok, () => false)
    }, `${this.name} to be healthy`)
  }

  async end(signal) {
    this.child.kill(signal)
    const [code] = await this.exited
    this.child = null
    return code
  }

  kill() { return this.end('SIGKILL') }

  /** Ends it with TERM, as an operator would; raises where it does not end well. */
  async stop() {
    const code = await this.end('SIGTERM')
    if (code !== 0 || /Sanitizer|runtime error:/.test(this.log)) {
      throw new Error(`${this.name} ended with ${code}:\n${this.log.slice(-4000)}`)
    }
  }
}

/** A TCP proxy on a port that stays while servers behind it come and go. */
export class Proxy {
  #sockets = new Set()

  async listen(port) {
    this.server = net.createServer(client => {
      const server = net.connect(port, '127.0.0.1')
      for (const socket of [client, server]) {
        this.#sockets.add(socket)
        socket.on('error', () => {}).on('close', () => {
          this.#sockets.delete(socket)
          client.destroy()
          server.destroy()
        })
      }
      client.pipe(server).pipe(client)
    }).listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    this.url = `http://127.0.0.1:${this.server.address().port}`
  }

  cut() {
    for (const socket of this.#sockets) socket.destroy()
  }

  close() {
    this.cut()
    this.server.close()
  }
}

/** One browser profile: a cookie jar, logged in as somebody, with any number of tabs. */
class User {
  constructor(world, name, context) {
    Object.assign(this, { world, name, context })
  }

  /** A tab that shows the thread with `peer` (or the list only) and whose stream is live. */
  async tab(peer) {
    const page = await this.context.newPage()
    const tab = new Tab(this, page)
    await tab.watch()
    await visit(page, this.world.url + (peer ? `/?with=${encodeURIComponent(url(peer))}` : '/'))
    await tab.live()
    return tab
  }
}

/** One page, and what came over its stream: `events`, each {type, data, id}. */
class Tab {
  events = []
  streams = []

  constructor(user, page) {
    Object.assign(this, { user, page })
  }

  async watch() {
    this.page.on('pageerror', error => this.user.world.faults.push(`${this.user.name}: ${error.stack}`))
    this.page.on('request', request => {
      if (new URL(request.url()).pathname === '/events') this.streams.push(new URL(request.url()))
    })
    const devtools = await this.user.context.newCDPSession(this.page)
    await devtools.send('Network.enable')
    devtools.on('Network.eventSourceMessageReceived', ({ eventName, data, eventId }) =>
      this.events.push({ type: eventName, data, id: eventId }))
  }

  live() {
    return this.page.locator('#connection[data-state=live]').waitFor({ timeout: 15_000 * PATIENCE })
  }

  lost() {
    return this.page.locator('#connection[data-state=lost]').waitFor()
  }

  async say(text) {
    await this.page.getByRole('textbox').fill(text)
    await this.page.keyboard.press('Enter')
  }

  /** The messages of the open thread with this text. */
  said(text) {
    return this.page.locator('#messages .message p').getByText(text, { exact: true })
  }

  hears(text, timeout = 1_000) {
    return this.said(text).waitFor({ timeout: timeout * PATIENCE })
  }

  row(peer) {
    return this.page.locator(`#with-${peer}`)
  }

  /** What each `ready` said. */
  verdicts() {
    return this.events.filter(event => event.type === 'ready').map(event => JSON.parse(event.data))
  }

  /** Event types since the first `from` events. */
  types(from = 0) {
    return this.events.slice(from).map(event => event.type)
  }
}

export function url(user) {
  return `https://posta.no/@${user}`
}

/** Starts a world that ends with the test `t`. */
export async function start(t, browser) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-browser-'))
  const ports = [await freePort(), await freePort(), await freePort(), await freePort()]
  const posta = new Process('posta', folder, ports[0], ports[1], ['examples/chat/posta.lua'])
  const sluice = new Process('sluice', folder, ports[2], ports[3], ['rules/posta.lua', 'examples/chat/pages.lua'],
    { POSTA_URL: `http://${posta.address}` })
  const proxy = new Proxy()
  const contexts = []
  const world = {
    posta, sluice, proxy,
    faults: [], // of pages' scripts; a test that leaves one has failed

    async user(name, options) {
      const context = await browser.newContext(options)
      contexts.push(context)
      await context.addCookies([{ name: 'posta', value: name, url: world.url }])
      return new User(world, name, context)
    },

    /** How many event streams the posta server has of this user: one a link. */
    async connections(name) {
      const answer = await fetch(`http://${posta.address}/api/v1/connections`)
      return (await answer.json())[name]
    },

    /** Somebody writes to somebody from a device that Sluice knows nothing of. */
    async write(from, to, text) {
      const answer = await fetch(`http://${posta.address}/ui/thread/${encodeURIComponent(url(to))}/messages`, {
        method: 'POST', headers: { cookie: `posta=${from}` }, body: new URLSearchParams({ text }),
      })
      if (!answer.ok) throw new Error(`posta answered ${answer.status}`)
    },
  }

  t.after(async () => {
    for (const context of contexts) await context.close()
    proxy.close()
    const ends = []
    for (const process of [sluice, posta]) if (process.child) ends.push(process.stop())
    const failures = (await Promise.allSettled(ends)).filter(end => end.reason).map(end => end.reason.message)
    fs.rmSync(folder, { recursive: true })
    if (failures.length + world.faults.length) throw new Error([...failures, ...world.faults].join('\n'))
  })

  await proxy.listen(ports[2])
  world.url = proxy.url
  await Promise.all([posta.start(), sluice.start()])
  return world
}

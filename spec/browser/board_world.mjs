// A world for a spec of the boards: the event server and the stand-in for the boards' app, each a process of the
// real binary, a proxy before the first whose connections can be cut, and users in Chromium.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, PATIENCE, Process, Proxy, until, visit } from './world.mjs'

const KEY = 'what the app and the event server know each other by'

/** One browser profile, signed in as somebody. */
class User {
  constructor(world, name, context) { Object.assign(this, { world, name, context }) }

  /** A tab with these boards open and live. */
  async tab(...projects) {
    const page = await this.context.newPage()
    const tab = new Tab(this, page)
    page.on('pageerror', error => this.world.faults.push(`${this.name}: ${error.stack}`))
    await visit(page, `${this.world.url}/#${projects.join('+')}`)
    await tab.live()
    for (const project of projects) await tab.board(project).and(page.locator('[data-state=live]')).waitFor()
    return tab
  }

  /** Asks the boards' app for something, as a tab of its own would. */
  async ask(method, where, body, tag) {
    const answer = await fetch(`http://${this.world.boards.address}${where}`, {
      method, body: body && JSON.stringify(body),
      headers: { cookie: `board=${this.name}`, 'content-type': 'application/json', ...(tag ? { 'x-session-tag': tag } : {}) },
    })
    if (!answer.ok) throw new Error(`${method} ${where}: ${answer.status} ${await answer.text()}`)
    return answer.status === 204 ? null : answer.json()
  }
}

class Tab {
  constructor(user, page) { Object.assign(this, { user, page }) }

  live() { return this.page.locator('#connection[data-state=live]').waitFor({ timeout: 15_000 * PATIENCE }) }
  lost() { return this.page.locator('#connection[data-state=lost]').waitFor({ timeout: 15_000 * PATIENCE }) }
  board(project) { return this.page.locator(`.board[data-project="${project}"]`) }
  column(name) { return this.page.locator('.column').filter({ has: this.page.getByRole('heading', { name, exact: true }) }) }
  card(title) { return this.page.locator('.board .card').filter({ has: this.page.locator('.title').getByText(title, { exact: true }) }) }

  /** The titles in a column, from top to bottom. */
  titles(column) { return this.column(column).locator('.title').allTextContents() }

  async shows(column, ...titles) {
    await until(async () => JSON.stringify(await this.titles(column)) === JSON.stringify(titles),
      `${column} to hold ${titles.join(', ')}`).catch(async error => {
      throw new Error(`${error.message}; it holds ${(await this.titles(column)).join(', ')}`)
    })
  }

  /** Drags a card by mouse into a column, above the card `before` or to its end; to the free room `below` pixels under that. */
  async drag(title, column, before, below = -12) {
    const { mouse } = this.page
    await this.page.bringToFront() // else Chromium takes a second for each move
    const from = await this.card(title).boundingBox()
    await mouse.move(from.x + 30, from.y + 15)
    await mouse.down()
    await mouse.move(from.x + 40, from.y + 25, { steps: 3 })
    const target = before ? await this.card(before).boundingBox() : await this.column(column).boundingBox()
    const y = before ? target.y + 4 : target.y + target.height + below
    await mouse.move(target.x + target.width / 2, y, { steps: 8 })
    await mouse.up()
  }

  /** Puts a finger on a card, moves it after `rest` ms to a column, or down, and lifts it. */
  async touch(title, column, rest) {
    const devtools = await this.user.context.newCDPSession(this.page)
    const finger = (type, x, y) => devtools.send('Input.dispatchTouchEvent', { type, touchPoints: x === undefined ? [] : [{ x, y }] })
    await this.page.bringToFront()
    const from = await this.card(title).boundingBox()
    const to = column && await this.column(column).boundingBox()
    let [x, y] = [from.x + 40, from.y + 15]
    await finger('touchStart', x, y)
    await sleep(rest)
    const end = column ? [Math.min(to.x + 30, this.page.viewportSize().width - 20), to.y + 60] : [x, y + 250]
    for (let step = 0; step < 6; step++) {
      x += (end[0] - x) / (6 - step)
      y += (end[1] - y) / (6 - step)
      await finger('touchMove', x, y)
      await sleep(30)
    }
    await finger('touchEnd')
  }

  /** How many cards slid or lit up so far: `animated` counts those of others' moves. */
  animations() { return this.page.evaluate(() => window.animated ?? []) }

  tag() { return this.page.evaluate(() => live.fetch('/me').then(() => live.tag)) }
}

/** Starts a world that ends with the test `t`. */
export async function start(t, browser) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-board-'))
  const ports = [await freePort(), await freePort(), await freePort(), await freePort()]
  const boards = new Process('boards', folder, ports[0], ports[1], ['examples/board/boards.lua'],
    { EVENTS_URL: `http://127.0.0.1:${ports[2]}`, PUBLISH_KEY: KEY })
  const sluice = new Process('board', folder, ports[2], ports[3], ['rules/board.lua', 'examples/board/pages.lua'],
    { BOARDS_URL: `http://${boards.address}`, PUBLISH_KEY: KEY })
  const proxy = new Proxy()
  const contexts = []
  const world = {
    boards, sluice, proxy,
    faults: [], // of pages' scripts; a test that leaves one has failed

    async user(name, options) {
      const context = await browser.newContext(options)
      contexts.push(context)
      context.setDefaultTimeout(10_000 * PATIENCE)
      await context.addCookies([{ name: 'board', value: name, url: world.url }])
      await context.addInitScript(() => {
        window.animated = []
        const animate = Element.prototype.animate
        Element.prototype.animate = function (...how) {
          window.animated.push(this.dataset.card ?? this.dataset.column)
          return animate.apply(this, how)
        }
      })
      return new User(world, name, context)
    },

    /** How many streams the event server has had. */
    async opened() {
      const metrics = await (await fetch(`http://${sluice.admin}/metrics`)).text()
      const ended = metrics.match(/^sluice_streams_ended_total.* \d+$/gm) ?? []
      return ended.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), await world.streams())
    },

    /** How many streams have a board. */
    async watchers(project) {
      const answer = await fetch(`http://${sluice.address}/publish`, {
        method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
        body: JSON.stringify({ type: 'project.updated', data: { project, version: 0 } }), // long past: no page cares
      })
      return (await answer.json()).subscribers
    },

    /** How many streams the event server has. */
    async streams() {
      const ready = await (await fetch(`http://${sluice.admin}/ready`)).json()
      return ready.subscribers
    },
  }

  t.after(async () => {
    for (const context of contexts) await context.close()
    proxy.close()
    const ends = []
    for (const process of [sluice, boards]) if (process.child) ends.push(process.stop())
    const failures = (await Promise.allSettled(ends)).filter(end => end.reason).map(end => end.reason.message)
    fs.rmSync(folder, { recursive: true })
    if (failures.length + world.faults.length) throw new Error([...failures, ...world.faults].join('\n'))
  })

  await proxy.listen(ports[2])
  world.url = proxy.url
  await Promise.all([boards.start(), sluice.start()])
  return world
}

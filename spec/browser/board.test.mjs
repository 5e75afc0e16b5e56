// The boards in a real browser: the page of examples/board, client/shared.js and the rules together.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { start } from './board_world.mjs'
import { launch, PATIENCE, SCREENS, until, visit } from './world.mjs'

let browser
before(async () => { browser = await launch() })
after(() => browser.close())

const scenario = (name, run) => test(name, { timeout: 60_000 * PATIENCE }, async t => run(await start(t, browser), t))

const TO_DO = ['Photos of the new workshop', 'Cookie notice that is true', 'Redirects from the old shop']

scenario('a card dragged in one tab moves in the others, and is animated there alone', async world => {
  const ann = await world.user('ann')
  const one = await ann.tab('1')
  const two = await ann.tab('1')
  const bob = await (await world.user('bob')).tab('1')
  for (const tab of [one, two, bob]) await tab.page.evaluate(() => { window.loaded_once = true })

  await one.drag('Cookie notice that is true', 'Review')
  for (const tab of [one, two, bob]) {
    await tab.shows('To do', TO_DO[0], TO_DO[2])
    await tab.shows('Review', 'Contact form', 'Cookie notice that is true')
  }
  const cookie = await bob.card('Cookie notice that is true').getAttribute('data-card')
  assert.deepEqual(await one.animations(), [])
  for (const tab of [two, bob]) assert.ok((await tab.animations()).includes(cookie))
  const seen = (await bob.animations()).length

  await bob.drag('Contact form', 'To do', TO_DO[0])
  for (const tab of [one, two, bob]) await tab.shows('To do', 'Contact form', TO_DO[0], TO_DO[2])
  const form = await bob.card('Contact form').getAttribute('data-card')
  for (const tab of [one, two]) assert.ok((await tab.animations()).includes(form))
  assert.equal((await bob.animations()).length, seen)
  for (const tab of [one, two, bob]) assert.ok(await tab.page.evaluate(() => window.loaded_once))
})

scenario('the room below a short column is the column\'s, too', async world => {
  const tab = await (await world.user('ann')).tab('1')
  await tab.drag('Cookie notice that is true', 'Review', null, 16)
  await tab.shows('Review', 'Contact form', 'Cookie notice that is true')
  await tab.shows('To do', TO_DO[0], TO_DO[2])
})

scenario('many boards in many tabs share one stream, and boards come and go without another', async world => {
  const ann = await world.user('ann')
  const one = await ann.tab('1', '2')
  const two = await ann.tab('2', '3')
  const three = await ann.tab('1')
  assert.equal(await world.streams(), 1)
  await three.page.getByRole('button', { name: "Ann's thesis" }).click()
  await three.board('3').and(three.page.locator('[data-state=live]')).waitFor()
  await (await ann.ask('POST', '/projects/3/columns', { name: 'Printed' }))
  for (const tab of [two, three]) await tab.column('Printed').waitFor()
  await one.page.getByRole('button', { name: 'Close Garden party' }).click()
  await one.board('2').waitFor({ state: 'detached' })
  await two.drag('Lanterns in the plum tree', 'Somebody does it')
  await three.page.getByRole('button', { name: "Close Ann's thesis" }).click()
  await two.page.getByRole('button', { name: "Close Ann's thesis" }).click()
  assert.deepEqual([await world.streams(), await world.opened()], [1, 1])
  const bob = await world.user('bob')
  await bob.tab('1')
  assert.equal(await world.streams(), 2)
})

scenario('a tab that dies takes its boards off the stream, and no other', async world => {
  const ann = await world.user('ann')
  await ann.tab('1')
  const two = await ann.tab('1', '3')
  assert.deepEqual([await world.watchers('1'), await world.watchers('3'), await world.watchers('2')], [1, 1, 0])
  const devtools = await ann.context.newCDPSession(two.page)
  devtools.send('Page.crash').catch(() => {})
  await until(async () => await world.watchers('3') === 0, 'the board to be dropped')
  assert.deepEqual([await world.watchers('1'), await world.streams(), await world.opened()], [1, 1, 1])
})

scenario('a card is moved by keyboard, and put back', async world => {
  const ann = await world.user('ann')
  const one = await ann.tab('1')
  const two = await ann.tab('1')
  const card = one.card('Cookie notice that is true').getByRole('button')
  await card.focus()
  await one.page.keyboard.press('Space')
  await one.page.keyboard.press('ArrowRight')
  await one.page.keyboard.press('ArrowUp')
  await one.page.locator('#said').getByText('Doing, place 1 of 3').waitFor({ state: 'attached' })
  await one.page.keyboard.press('Space')
  for (const tab of [one, two]) {
    await tab.shows('Doing', 'Cookie notice that is true', 'Opening hours, also for screen readers', 'Price list as a table')
  }
  assert.ok(await card.evaluate(element => element === document.activeElement))

  await one.page.keyboard.press('Space')
  await one.page.keyboard.press('ArrowRight')
  await one.shows('Review', 'Cookie notice that is true', 'Contact form')
  await one.page.keyboard.press('Escape')
  await one.shows('Review', 'Contact form')
  await sleep(300)
  await two.shows('Review', 'Contact form')
})

scenario('a finger that rests on a card moves it; one that does not scrolls', async world => {
  const phone = { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true }
  const tab = await (await world.user('ann', phone)).tab('1')
  await tab.touch('Cookie notice that is true', null, 0)
  await sleep(300)
  await tab.shows('To do', ...TO_DO)
  await tab.touch('Cookie notice that is true', 'Doing', 500)
  await tab.shows('To do', TO_DO[0], TO_DO[2])
  await until(async () => (await tab.titles('Doing')).includes('Cookie notice that is true'), 'the card in Doing')
})

scenario('what others do while a card is held is shown once it is put down', async world => {
  const ann = await world.user('ann')
  const tab = await ann.tab('1')
  await tab.card(TO_DO[0]).getByRole('button').focus()
  await tab.page.keyboard.press('Space')
  const bob = await world.user('bob')
  const other = await bob.tab('1')
  await other.drag('Contact form', 'Done')
  await other.shows('Done', 'Choose a typeface', 'Move the DNS', 'Contact form')
  await sleep(300)
  await tab.shows('Review', 'Contact form')
  await tab.page.keyboard.press('ArrowRight')
  await tab.page.keyboard.press('Space')
  for (const one of [tab, other]) {
    await one.shows('Doing', TO_DO[0], 'Opening hours, also for screen readers', 'Price list as a table')
    await one.shows('Done', 'Choose a typeface', 'Move the DNS', 'Contact form')
    await one.shows('Review')
  }
})

scenario('columns are added, renamed, moved and deleted with their cards', async world => {
  const ann = await world.user('ann')
  const one = await ann.tab('1')
  const bob = await (await world.user('bob')).tab('1')
  const change = async (tab, name) => tab.column(name).getByRole('button', { name: 'Change this column' }).click()
  const order = tab => tab.page.locator('.column h3').allTextContents()

  await one.page.getByRole('button', { name: 'Add column' }).click()
  await one.page.getByRole('dialog').getByLabel('Name').fill('Waiting')
  await one.page.keyboard.press('Enter')
  await bob.column('Waiting').waitFor()
  await change(bob, 'Waiting')
  await bob.page.getByRole('dialog').getByLabel('Name').fill('On hold')
  await bob.page.keyboard.press('Enter')
  await one.column('On hold').waitFor()
  await change(one, 'On hold')
  await one.page.getByRole('button', { name: 'Move left' }).click()
  for (const tab of [one, bob]) {
    await until(async () => (await order(tab)).join() === 'To do,Doing,Review,On hold,Done', 'the new order')
  }

  await bob.page.evaluate(() => { window.requests = []; new PerformanceObserver(list => {
    requests.push(...list.getEntries().map(one => one.name)) }).observe({ type: 'resource' }) })
  await change(one, 'Review')
  await one.page.getByRole('button', { name: 'Delete' }).click()
  for (const tab of [one, bob]) {
    await tab.column('Review').waitFor({ state: 'detached' })
    await tab.shows('Doing', 'Opening hours, also for screen readers', 'Price list as a table', 'Contact form')
  }
  await sleep(200)
  assert.deepEqual((await bob.page.evaluate(() => requests)).filter(name => name.includes('/projects/')), [])
})

scenario('links between cards', async world => {
  const ann = await world.user('ann')
  const one = await ann.tab('1')
  const bob = await (await world.user('bob')).tab('1')
  await one.card('Move the DNS').click()
  await one.page.getByLabel('Link with').selectOption({ label: 'Choose a typeface' })
  await bob.card('Move the DNS').locator('.links').getByText('Choose a typeface').waitFor()
  await bob.card('Choose a typeface').getByRole('button').press('Enter')
  await bob.page.getByRole('button', { name: 'Unlink' }).click()
  await one.card('Move the DNS').locator('.links li').waitFor({ state: 'detached' })
})

scenario('who may no longer read a board is told so, and gets nothing of it', async world => {
  const ann = await world.user('ann')
  const one = await ann.tab('1', '2')
  const bob = await (await world.user('bob')).tab('1', '2')
  await one.board('1').getByRole('button', { name: 'Board…' }).click()
  await one.page.getByLabel('Bob Aasen').uncheck()
  await bob.board('1').getByText('You no longer have access').waitFor()
  assert.equal(await bob.board('1').locator('.card').count(), 0)
  assert.equal(await bob.page.getByRole('button', { name: 'Website relaunch', exact: true }).count(), 0)

  await one.page.keyboard.press('Escape')
  await one.drag('Lanterns in the plum tree', 'Somebody does it')
  await bob.shows('Somebody does it', 'Tables from the parish hall', 'Lemonade, forty litres', 'Lanterns in the plum tree')

  await one.board('1').getByRole('button', { name: 'Board…' }).click()
  await one.page.getByLabel('Bob Aasen').check()
  await bob.board('1').and(bob.page.locator('[data-state=live]')).waitFor()
})

scenario('a board that never was for this person says so, and the others live', async world => {
  const bob = await world.user('bob')
  const page = await bob.context.newPage()
  await visit(page, `${world.url}/#3+4`)
  await page.locator('.board[data-project="3"]').getByText('no longer have access').waitFor()
  await page.locator('.board[data-project="4"][data-state=live]').waitFor()
})

scenario('a board is renamed, and deleted', async world => {
  const ann = await world.user('ann')
  const one = await ann.tab('2')
  const bob = await (await world.user('bob')).tab('2')
  await one.page.getByRole('button', { name: 'Board…' }).click()
  await one.page.getByRole('dialog').getByLabel('Name').fill('Summer party')
  await one.page.keyboard.press('Enter')
  await bob.page.getByRole('heading', { name: 'Summer party' }).waitFor()
  await one.page.getByRole('button', { name: 'Board…' }).click()
  await one.page.getByRole('button', { name: 'Delete the board' }).click()
  for (const tab of [one, bob]) await tab.board('2').getByText('has been deleted').waitFor()
})

scenario('the event server is killed and started again: what happened meanwhile is shown', async world => {
  const ann = await world.user('ann')
  const tabs = [await ann.tab('1'), await ann.tab('1', '3')]
  await world.sluice.kill()
  await Promise.all(tabs.map(tab => tab.lost()))
  const bob = await world.user('bob')
  await bob.ask('POST', '/cards/k1/move', { column: 'c4', position: 0 })
  await world.sluice.start()
  for (const tab of tabs) {
    await tab.live()
    await tab.shows('Done', TO_DO[0], 'Choose a typeface', 'Move the DNS')
  }
  assert.equal(await world.streams(), 1)
  await tabs[0].drag('Contact form', 'Doing', 'Price list as a table')
  await tabs[1].shows('Doing', 'Opening hours, also for screen readers', 'Contact form', 'Price list as a table')
})

scenario('a cut connection resumes: nothing is read again', async world => {
  const ann = await world.user('ann')
  const tab = await ann.tab('1')
  const requests = []
  tab.page.on('request', request => { if (request.url().includes('/projects/')) requests.push(request.url()) })
  world.proxy.cut()
  await tab.lost()
  const bob = await world.user('bob')
  await bob.ask('POST', '/cards/k1/move', { column: 'c4', position: 0 })
  await tab.live()
  await tab.shows('Done', TO_DO[0], 'Choose a typeface', 'Move the DNS')
  assert.deepEqual(requests, [])
})

scenario('signing out ends the stream of all tabs', async world => {
  const ann = await world.user('ann')
  const one = await ann.tab('1')
  const two = await ann.tab('2')
  await one.page.getByRole('button', { name: 'Sign out' }).click()
  for (const tab of [one, two]) await tab.page.getByRole('button', { name: 'Bob Aasen' }).waitFor()
  await until(async () => await world.streams() === 0, 'the stream to end')
  await one.page.getByRole('button', { name: 'Bob Aasen' }).click()
  await one.live()
  await one.page.getByText('Boat house').waitFor()
})

scenario('it looks as it should: screens to look at', async world => {
  fs.mkdirSync(SCREENS, { recursive: true })
  const shoot = (page, name) => page.screenshot({ path: `${SCREENS}/board-${name}.png` })
  const wide = { viewport: { width: 1180, height: 800 } }
  const phone = { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, hasTouch: true }
  for (const [name, options] of Object.entries({
    light: wide, dark: { ...wide, colorScheme: 'dark' }, phone, 'phone-dark': { ...phone, colorScheme: 'dark' },
  })) {
    const ann = await world.user('ann', options)
    const tab = await ann.tab('1', '2')
    await shoot(tab.page, name)
    const { mouse } = tab.page
    const card = await tab.card(TO_DO[1]).boundingBox()
    await mouse.move(card.x + 20, card.y + 10)
    await mouse.down()
    await mouse.move(card.x + 60, card.y + 40, { steps: 4 })
    await mouse.move(Math.min(card.x + 330, 360), card.y + 60, { steps: 6 })
    await shoot(tab.page, `${name}-drag`)
    await tab.page.keyboard.press('Escape')
    await mouse.up()
    await tab.card(TO_DO[0]).getByRole('button').press('Enter')
    await shoot(tab.page, `${name}-card`)
    await tab.page.keyboard.press('Escape')
    await tab.board('1').getByRole('button', { name: 'Board…' }).click()
    await shoot(tab.page, `${name}-board`)
    await tab.page.keyboard.press('Escape')
    const wider = await tab.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    assert.ok(wider <= 0, `${name}: the page is wider than its window`)
    await ann.context.close()
  }
})

// The chat in a real browser: rules/posta.lua, the page of examples/chat and client/sluice.js together.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { launch, PATIENCE, SCREENS, start, until, url, visit } from './world.mjs'

const SOON = 1_000 * PATIENCE

let browser
before(async () => { browser = await launch() })
after(() => browser.close())

const scenario = (name, run) => test(name, { timeout: 60_000 * PATIENCE }, async t => run(await start(t, browser), t))

scenario('two tabs of one user share one upstream connection and are in step within a second', async world => {
  const ann = await world.user('ann')
  const one = await ann.tab('bob')
  const two = await ann.tab('bob')
  const bob = await (await world.user('bob')).tab('ann')
  await until(async () => await world.connections('bob') === 1, 'a link for bob')
  assert.equal(await world.connections('ann'), 1)

  await one.say('Is the kettle on?')
  await Promise.all([one, two, bob].map(tab => tab.hears('Is the kettle on?')))
  await bob.say('It is <b>hot</b> & ready')
  await Promise.all([one, two, bob].map(tab => tab.hears('It is <b>hot</b> & ready')))

  assert.equal(await one.said('Is the kettle on?').count(), 1)
  assert.equal(await two.said('Is the kettle on?').count(), 1)
  assert.equal(await world.connections('ann'), 1)
})

scenario('a third user sees nothing of it', async world => {
  const ann = await (await world.user('ann')).tab('bob')
  const bob = await (await world.user('bob')).tab('ann')
  const cleo = await (await world.user('cleo')).tab('ann')
  await until(() => cleo.types().includes('ready'), "cleo's verdict")
  await until(async () => await world.connections('cleo') === 1, 'a link for cleo')
  await sleep(500)
  const before = cleo.events.length

  await ann.say('Between the two of us')
  await bob.hears('Between the two of us')
  await bob.say('Quite')
  await ann.hears('Quite')

  await world.write('dag', 'cleo', 'The end of what could have come before it')
  await until(() => cleo.types(before).includes('contact-changed'), 'what is for cleo')
  for (const event of cleo.events.slice(before)) assert.ok(event.data.includes(url('dag')), JSON.stringify(event))
  assert.ok(!(await cleo.page.content()).includes('Between the two of us'))
})

scenario('the tab that sent is not told, its other tabs are', async world => {
  const ann = await world.user('ann')
  const one = await ann.tab('bob')
  const two = await ann.tab('bob')
  await sleep(500)
  const seen = [one.events.length, two.events.length]

  await one.say('Once is enough')
  await two.hears('Once is enough')
  await until(() => one.types(seen[0]).includes('contact-changed'), 'the list to be told')
  assert.deepEqual(one.types(seen[0]).filter(type => type === 'thread-updated'), [])
  assert.ok(two.types(seen[1]).includes('thread-updated'))
})

scenario('a duplicated tab gets a tag of its own, and so its news', async world => {
  const ann = await world.user('ann')
  const one = await ann.tab('bob')
  const tag = await one.page.evaluate(() => sessionStorage.getItem('sluice-tag'))
  await ann.context.addInitScript(copy => sessionStorage.setItem('sluice-tag', copy), tag)
  const two = await ann.tab('bob')

  assert.equal(two.streams[0].searchParams.get('tag'), tag)
  assert.notEqual(await two.page.evaluate(() => Sluice.tag()), tag)
  assert.equal(await one.page.evaluate(() => Sluice.tag()), tag)
  await one.say('From the first')
  await two.hears('From the first')
  await two.say('From the copy')
  await one.hears('From the copy')
})

scenario('unread counts rise, an open thread is read, and its writer sees it', async world => {
  const bob = await (await world.user('bob')).tab()
  const ann = await (await world.user('ann')).tab('bob')
  const tick = text => ann.page.locator('.message', { hasText: text }).locator('.ticks')

  await ann.say('First')
  await ann.say('Second')
  await bob.row('ann').getByText('2 unread').waitFor({ timeout: SOON })
  assert.equal(await bob.page.title(), '(2) Posta')
  assert.match(await tick('Second').getAttribute('class'), /delivered/)

  await bob.row('ann').click()
  await bob.hears('Second')
  await tick('Second').and(ann.page.locator('.read')).waitFor({ timeout: SOON })
  await until(async () => await bob.page.title() === 'Posta', 'nothing to be unread')

  await ann.say('Third, while it is open')
  await bob.hears('Third, while it is open')
  await tick('Third').and(ann.page.locator('.read')).waitFor({ timeout: SOON })

  await bob.page.getByLabel('Close the conversation').click()
  await bob.page.getByText('Pick a conversation').waitFor()
  await ann.say('Fourth, when it is closed')
  await bob.row('ann').getByText('1 unread').waitFor({ timeout: SOON })
})

scenario('the upstream is killed and restarted: both tabs read again, nobody is logged out', async world => {
  const ann = await world.user('ann')
  const tabs = [await ann.tab('bob'), await ann.tab('bob')]
  await tabs[0].say('Before the fall')
  await tabs[1].hears('Before the fall')
  const seen = tabs.map(tab => tab.events.length)

  await world.posta.kill()
  await sleep(300)
  for (const tab of tabs) assert.equal(await tab.said('Before the fall').count(), 1)
  await world.posta.start()

  // The stand-in's memory went with it: a tab that read again no longer shows what was said.
  for (const [place, tab] of tabs.entries()) {
    await until(() => tab.types(seen[place]).includes('resync'), 'resync')
    await tab.said('Before the fall').waitFor({ state: 'detached', timeout: 5 * SOON })
    assert.equal(await tab.page.locator('.login').count(), 0)
    await tab.live()
  }
  await tabs[1].say('After it')
  await tabs[0].hears('After it')
  assert.equal(await world.connections('ann'), 1)
})

for (const [how, end] of [['stopped', 'stop'], ['killed', 'kill']]) {
  scenario(`the server is ${how} and started again under them: both tabs catch up`, async world => {
    const ann = await world.user('ann')
    const tabs = [await ann.tab('bob'), await ann.tab('bob')]

    await world.sluice[end]()
    await Promise.all(tabs.map(tab => tab.lost()))
    await world.write('bob', 'ann', 'Said while it was away')
    await world.sluice.start()

    for (const tab of tabs) {
      await tab.hears('Said while it was away', 15_000)
      assert.equal(await tab.page.locator('.login').count(), 0)
    }
    await Promise.all(tabs.map(tab => tab.live()))
    await tabs[0].say('And on')
    await tabs[1].hears('And on')
    // Both said again which thread they show: what comes into it is read.
    await world.write('bob', 'ann', 'Read at once')
    await tabs[0].hears('Read at once')
    await tabs[0].row('bob').locator('.badge').waitFor({ state: 'detached' })
  })
}

scenario('a cut connection resumes where it was', async world => {
  const tab = await (await world.user('ann')).tab('bob')
  await world.write('bob', 'ann', 'Before the cut')
  await tab.hears('Before the cut')

  world.proxy.cut()
  await tab.lost()
  await world.write('bob', 'ann', 'During the cut')
  await tab.hears('During the cut', 15_000)
  await until(() => tab.verdicts().length > 1, 'a second verdict')
  assert.equal(tab.verdicts().at(-1).resumed, true)
})

scenario('an EventSource that gave up is made anew with its cursor and its tag', async world => {
  const tab = await (await world.user('ann')).tab('bob')
  await world.write('bob', 'ann', 'Before the refusal')
  await tab.hears('Before the refusal')
  const first = tab.streams.length
  const tag = await tab.page.evaluate(() => Sluice.tag())

  let refusals = 1
  await tab.page.route('**/events?*', route => refusals-- > 0 ? route.fulfill({ status: 503 }) : route.continue())
  world.proxy.cut()
  await until(() => refusals === 0, 'a refusal')
  await world.write('bob', 'ann', 'After the refusal')
  await tab.hears('After the refusal', 15_000)

  assert.ok(tab.streams.length > first + 1)
  const stream = tab.streams.at(-1).searchParams
  await until(() => tab.verdicts().length > 1, 'a second verdict')
  const before = tab.events.slice(0, tab.events.findLastIndex(event => event.type === 'ready'))
  assert.equal(stream.get('last_event_id'), before.findLast(event => event.id).id)
  assert.equal(stream.get('tag'), tag)
  assert.equal(tab.verdicts().at(-1).resumed, true)
})

scenario('logging in, writing and leaving, by keyboard and by name', async world => {
  const page = await (await browser.newContext()).newPage()
  await visit(page, world.url)
  await page.getByRole('button', { name: 'Edda Sørli' }).click()
  await page.getByRole('status').getByText('Live').waitFor()
  await page.getByRole('navigation', { name: 'Conversations' }).getByRole('link', { name: /Ann Lunde/ }).focus()
  await page.keyboard.press('Enter')
  const box = page.getByRole('textbox', { name: 'Message to Ann Lunde' })
  await box.waitFor()
  await until(() => box.evaluate(element => element === document.activeElement), 'focus in the text box')
  await page.keyboard.type('Line one')
  await page.keyboard.press('Shift+Enter')
  await page.keyboard.type('line two')
  await page.keyboard.press('Enter')
  await page.locator('.message p').getByText('Line one\nline two').waitFor()
  assert.equal(await box.inputValue(), '')
  await page.goBack()
  await page.getByText('Pick a conversation').waitFor()
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.getByRole('button', { name: 'Edda Sørli' }).waitFor()
  await page.context().close()
})

scenario('a message that did not go out stays in the box', async world => {
  const tab = await (await world.user('ann')).tab('bob')
  const box = tab.page.getByRole('textbox')
  await world.posta.kill()
  await tab.say('Into the void')
  await tab.page.getByRole('alert').getByText('did not go out').waitFor()
  assert.equal(await box.inputValue(), 'Into the void')
  await world.posta.start()
  await box.press('Enter')
  await tab.hears('Into the void')
  assert.equal(await box.inputValue(), '')
  assert.equal(await tab.page.getByRole('alert').textContent(), '')
})

scenario('it looks as it should: screens to look at', async world => {
  fs.mkdirSync(SCREENS, { recursive: true })
  const shoot = (page, name) => page.screenshot({ path: `${SCREENS}/${name}.png` })
  const wide = { viewport: { width: 1180, height: 760 } }
  const phone = { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2 }

  const guest = await (await browser.newContext(wide)).newPage()
  await visit(guest, world.url)
  await guest.locator('.login').waitFor()
  await shoot(guest, 'login')
  await guest.context().close()

  for (const [name, options] of Object.entries({
    light: wide, dark: { ...wide, colorScheme: 'dark' }, phone, 'phone-dark': { ...phone, colorScheme: 'dark' },
  })) {
    const ann = await world.user('ann', options)
    const list = await ann.tab()
    await shoot(list.page, `${name}-list`)
    const one = await ann.tab('bob')
    const two = await ann.tab('bob')
    await one.say(`It is ${name} out here, and this line is long enough to be broken into two or three of them.`)
    await two.page.locator('.message.mine').last().getByText(`It is ${name}`).waitFor()
    await world.write('bob', 'ann', `So I see, said Bob of ${name}`)
    await one.hears(`So I see, said Bob of ${name}`)
    await two.hears(`So I see, said Bob of ${name}`)
    await shoot(one.page, `${name}-thread`)
    await shoot(two.page, `${name}-second-tab`)
    const wider = await one.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    assert.ok(wider <= 0, 'the page is wider than its window')
    await ann.context.close()
  }

  const cut = await (await world.user('ann', wide)).tab('cleo')
  await world.sluice.stop()
  await cut.lost()
  await shoot(cut.page, 'reconnecting')
})

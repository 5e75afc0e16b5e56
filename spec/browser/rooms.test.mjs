// The rooms in a real browser: the page of examples/rooms and rules/persona.lua together.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { start } from './rooms_world.mjs'
import { launch, PATIENCE, SCREENS, until } from './world.mjs'

let browser
before(async () => { browser = await launch() })
after(() => browser.close())

const scenario = (name, run, env) =>
  test(name, { timeout: 60_000 * PATIENCE }, async t => run(await start(t, browser, { env }), t))

scenario('two people in two tabs talk, each hears the other, and nobody hears twice', async world => {
  const [ann, bob] = await world.tabs('Ann Lunde', 'Bob Aasen')
  await ann.say('Is anybody here?')
  await bob.hears('ann: Is anybody here?')
  await bob.say('I am.')
  await ann.say('<b>Good</b> & fine')
  for (const tab of [ann, bob]) await tab.hears('ann: Is anybody here?', 'bob: I am.', 'ann: <b>Good</b> & fine')
  await bob.enter('Kitchen')
  await bob.hears()
  await bob.say('Cake')
  await bob.enter('General')
  for (const tab of [ann, bob]) await tab.hears('ann: Is anybody here?', 'bob: I am.', 'ann: <b>Good</b> & fine')
  await ann.page.reload()
  await ann.live()
  await ann.hears('ann: Is anybody here?', 'bob: I am.', 'ann: <b>Good</b> & fine')
})

scenario('who comes is seen at once, who goes once the grace is over, and who only loads the page again not at all', async world => {
  const [ann, bob] = await world.tabs('Ann Lunde', 'Bob Aasen')
  for (const tab of [ann, bob]) await tab.sees('ann', 'bob')
  const gone = []
  await ann.page.exposeFunction('went', users => gone.push(users))
  await ann.page.evaluate(() => new MutationObserver(() => {
    const users = [...document.querySelectorAll('#here li')].map(one => one.dataset.user).join()
    if (users !== 'ann,bob') window.went(users)
  }).observe(document.getElementById('here'), { childList: true }))
  await bob.page.reload()
  await bob.live()
  await sleep(6_000)
  assert.deepEqual(gone, [])
  const left = Date.now()
  await bob.page.close()
  await ann.sees('ann')
  assert.ok(Date.now() - left >= 4_500)
  const [cleo] = await world.tabs('Cleo Moreau')
  for (const tab of [ann, cleo]) await tab.sees('ann', 'cleo')
})

scenario('a job is seen to grow by all in its room, until it is done', async world => {
  const [ann, bob, other] = await world.tabs('Ann Lunde', 'Bob Aasen', 'Ann Lunde')
  await other.enter('Kitchen')
  await ann.paint('A lighthouse in the fog')
  const parts = [new Set(), new Set()]
  await Promise.all([ann, bob].map(async (tab, place) => {
    const job = tab.job('A lighthouse in the fog')
    await job.locator('progress').waitFor()
    await until(async () => {
      const value = await job.locator('progress').evaluateAll(all => all[0]?.value)
      if (value !== undefined) parts[place].add(value)
      return value === undefined
    }, 'the job to be done', 20_000)
    await job.locator('svg').waitFor()
  }))
  for (const seen of parts) {
    assert.ok(seen.size > 4)
    assert.deepEqual([...seen], [...seen].sort((one, next) => one - next))
  }
  const [one, two] = await Promise.all([ann, bob].map(tab => tab.job('A lighthouse in the fog').locator('svg').innerHTML()))
  assert.equal(one, two)
  await other.page.getByRole('link', { name: '“A lighthouse in the fog” is ready in General' }).click()
  await other.job('A lighthouse in the fog').locator('svg').waitFor()
  assert.equal(await ann.page.locator('#toasts a').count(), 0)
})

scenario('rooms that are not open to somebody are not there', async world => {
  const [ann, cleo] = await world.tabs('Ann Lunde', 'Cleo Moreau')
  await ann.enter('Office')
  assert.equal(await cleo.page.getByRole('link', { name: 'Office' }).count(), 0)
  const status = await cleo.page.evaluate(async () => {
    const { token } = JSON.parse(sessionStorage.getItem('rooms'))
    return (await fetch(`/api/events?token=${token}&channel=channel:office`)).status
  })
  assert.equal(status, 403)
  await cleo.enter('Kitchen')
  for (const address of ['#office', '#%E0%A4%A']) { // not open to her; of nothing
    await cleo.page.evaluate(hash => { location.hash = hash }, address)
    await cleo.page.getByRole('heading', { name: 'General' }).waitFor()
    await cleo.live()
    await cleo.enter('Kitchen')
  }
})

scenario('who says too much at once is asked to breathe, and loses nothing', async world => {
  const [ann, bob] = await world.tabs('Ann Lunde', 'Bob Aasen')
  const lines = []
  for (let i = 1; i <= 10; i++) {
    await ann.say(`${i}`)
    lines.push(`ann: ${i}`)
    await bob.hears(...lines)
  }
  await until(async () => {
    await ann.say('too much')
    await until(async () => await ann.page.locator('.unsent').count() === 0, 'the answer')
    return await ann.page.locator('#notice').textContent() !== ''
  }, 'the notice')
  assert.match(await ann.page.locator('#notice').textContent(), /Not so fast/)
  assert.equal(await ann.page.getByRole('textbox').inputValue(), 'too much')
})

scenario('a cut connection goes on, and a server that was away is begun with anew', async world => {
  const [ann, bob] = await world.tabs('Ann Lunde', 'Bob Aasen')
  await ann.say('one')
  await bob.hears('ann: one')
  await bob.page.evaluate(() => { document.querySelector('#timeline li').dataset.kept = 'yes' })
  world.proxy.cut()
  await bob.lost()
  await Promise.all([ann.live(), bob.live()])
  await ann.say('two')
  await bob.hears('ann: one', 'ann: two')
  assert.equal(await bob.page.locator('[data-kept=yes]').count(), 1)
  await world.sluice.kill()
  await bob.lost()
  await world.sluice.start()
  await Promise.all([ann.live(), bob.live()])
  await until(async () => (await bob.said()).length === 0, 'the room to begin anew') // nothing outlives a restart
  await bob.sees('ann', 'bob')
  await ann.say('three')
  await bob.hears('ann: three')
})

scenario('a token that expires is followed by the next, and nothing is lost or heard twice', async world => {
  const [ann, bob] = await world.tabs('Ann Lunde', 'Bob Aasen')
  const first = await ann.page.evaluate(() => sessionStorage.getItem('rooms'))
  const lines = []
  for (let i = 1; i <= 8; i++) {
    await bob.say(`line ${i}`)
    lines.push(`bob: line ${i}`)
    await ann.hears(...lines)
    await bob.hears(...lines)
    await sleep(1_500)
  }
  assert.notEqual(await ann.page.evaluate(() => sessionStorage.getItem('rooms')), first)
  assert.ok(await world.ended('expired') >= 2)
}, { ROOMS_TOKEN_LIFE: '4' })

scenario('it looks as it should: screens to look at', async world => {
  fs.mkdirSync(SCREENS, { recursive: true })
  const [bob] = await world.tabs('Bob Aasen')
  await bob.enter('Studio')
  const wide = { viewport: { width: 1180, height: 800 } }
  const phone = { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, hasTouch: true }
  for (const [name, options] of Object.entries({
    light: wide, dark: { ...wide, colorScheme: 'dark' }, phone, 'phone-dark': { ...phone, colorScheme: 'dark' },
  })) {
    const context = await world.context(options)
    const page = await context.newPage()
    await page.goto(world.url)
    await page.getByRole('button', { name: 'Ann Lunde' }).waitFor()
    await page.screenshot({ path: `${SCREENS}/rooms-${name}-login.png` })
    await page.close()
    const tab = await world.tab(context, 'Ann Lunde')
    await tab.enter('Studio')
    if (name === 'light') {
      await tab.say('Good morning! Who paints today?')
      await bob.say('I do. What shall it be?')
      await bob.say('Hills were nice, last time.')
      await tab.paint('Hills behind the fjord, early')
      await tab.job('Hills behind the fjord, early').locator('svg').waitFor({ timeout: 20_000 * PATIENCE })
    }
    await bob.paint(`A quiet evening (${name})`)
    await until(async () => await tab.job(`A quiet evening (${name})`).locator('progress').evaluateAll(all => all[0]?.value > 40),
      'half a picture', 20_000)
    await tab.page.screenshot({ path: `${SCREENS}/rooms-${name}.png` })
    const wider = await tab.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    assert.ok(wider <= 0, `${name}: the page is wider than its window`)
    await context.close()
  }
})

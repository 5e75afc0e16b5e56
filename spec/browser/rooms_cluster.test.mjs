// The rooms on two nodes that share a Redis, in a real browser: who is on one and who is on the other are in one room.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, before, test } from 'node:test'
import { start } from './rooms_world.mjs'
import { launch, PATIENCE, SCREENS, until } from './world.mjs'

let browser
before(async () => { browser = await launch() })
after(() => browser.close())

const scenario = (name, run) =>
  test(name, { timeout: 90_000 * PATIENCE }, async t => run(await start(t, browser, { nodes: 2 })))

/** Ann in a browser on the first node, Bob in another on the second. */
async function two(world, options) {
  const tabs = []
  for (const [i, name] of ['Ann Lunde', 'Bob Aasen'].entries()) {
    tabs.push(await world.tab(await world.context(options), name, world.nodes[i]))
  }
  return tabs
}

const names = tab => tab.page.locator('#here li').evaluateAll(all => all.map(one => one.title))

scenario('what is said on one node is heard on the other, once and in one order', async world => {
  const [ann, bob] = await two(world)
  assert.deepEqual([await ann.page.locator('#node').textContent(), await bob.page.locator('#node').textContent()],
    ['Node A', 'Node B'])
  const lines = []
  for (const [tab, user, text] of [[ann, 'ann', 'Is anybody here?'], [bob, 'bob', 'I am.'], [ann, 'ann', 'Good']]) {
    await tab.say(text)
    lines.push(`${user}: ${text}`)
    for (const each of [ann, bob]) await each.hears(...lines)
  }
  assert.equal(await world.redis.publish('realtime:channel:general', { type: 'chat', userId: 'app', content: 'Cake!' }), 1)
  lines.push('app: Cake!')
  for (const each of [ann, bob]) await each.hears(...lines)
  await bob.page.reload()
  await bob.live()
  await bob.hears(...lines)
})

scenario('both say the same of who is here, by name, and who goes from one is gone from the other', async world => {
  const [ann, bob] = await two(world)
  for (const tab of [ann, bob]) {
    await tab.sees('ann', 'bob')
    assert.deepEqual(await names(tab), ['Ann Lunde', 'Bob Aasen'])
  }
  await ann.page.reload() // reads the list anew
  await ann.live()
  await ann.sees('ann', 'bob')
  assert.deepEqual(await names(ann), ['Ann Lunde', 'Bob Aasen'])
  await bob.page.close()
  await ann.sees('ann')
})

scenario('a job grows on both nodes, whoever asked for it, until it is done', async world => {
  const tabs = await two(world)
  for (const [i, title] of ['A lighthouse in the fog', 'Hills behind the fjord'].entries()) {
    await tabs[i].paint(title)
    await Promise.all(tabs.map(async tab => {
      const job = tab.job(title), parts = []
      await job.locator('progress').waitFor()
      await until(async () => {
        const value = await job.locator('progress').evaluateAll(all => all[0]?.value)
        if (value !== undefined) parts.push(value)
        return value === undefined
      }, 'the job to be done', 20_000)
      await job.locator('svg').waitFor()
      assert.ok(new Set(parts).size > 4)
      assert.deepEqual(parts, [...parts].sort((one, next) => one - next))
    }))
    const [one, two] = await Promise.all(tabs.map(tab => tab.job(title).locator('svg').innerHTML()))
    assert.equal(one, two)
  }
})

scenario('a node that is killed takes nobody else with it, and a job ends all the same', async world => {
  const [ann, bob] = await two(world)
  await ann.say('one')
  await bob.hears('ann: one')
  await bob.paint('A quiet evening')
  await bob.job('A quiet evening').locator('progress').waitFor()
  await world.nodes[0].kill()
  await ann.lost()
  await bob.job('A quiet evening').locator('svg').waitFor({ timeout: 30_000 * PATIENCE })
  await bob.say('two')
  await bob.hears('ann: one', 'bob: two')
  await until(async () => JSON.stringify(await bob.here()) === '["bob"]', 'ann to be gone', 25_000)
  await world.nodes[0].start()
  await ann.live()
  for (const tab of [ann, bob]) {
    await tab.hears('ann: one', 'bob: two')
    await tab.sees('ann', 'bob')
  }
})

scenario('while Redis is away a page says what it does not know, and all is there when it is back', async world => {
  const [ann, bob] = await two(world)
  await ann.say('one')
  await bob.hears('ann: one')
  world.redis.pause()
  await until(() => world.nodes[0].log.includes('redis is away'), 'Redis to be missed')
  await ann.say('two')
  await ann.page.getByText('Nothing can be said at the moment. Send it again in a while.').waitFor()
  assert.equal(await ann.page.getByRole('textbox').inputValue(), 'two')
  await bob.page.getByRole('link', { name: 'Kitchen', exact: true }).click() // nobody of the node was there
  await bob.lost()
  assert.equal(await bob.page.locator('#timeline').getAttribute('data-empty'), 'Waiting for what was said here…')
  assert.equal(await bob.page.locator('#here').textContent(), '')
  await ann.page.reload() // to a room that the node has: what was said is there, and who is here is asked for
  await ann.live()
  await ann.hears('ann: one')
  const count = ann.page.locator('#here p')
  assert.equal(await count.textContent(), '')
  world.redis.go_on()
  await bob.live()
  await bob.sees('bob')
  await bob.page.getByText('1 here').waitFor()
  assert.equal(await bob.page.locator('#timeline').getAttribute('data-empty'), 'Nothing has been said here for a while.')
  await until(async () => (await fetch(`http://${world.nodes[0].admin}/ready`)).ok, 'the first node to be on Redis again')
  await until(async () => /^\d here$/.test(await count.textContent()), 'the list of who is here')
  await ann.say('two')
  await bob.enter('General')
  for (const tab of [ann, bob]) await tab.hears('ann: one', 'ann: two')
})

scenario('it looks as it should: screens to look at', async world => {
  fs.mkdirSync(SCREENS, { recursive: true })
  const wide = { viewport: { width: 1180, height: 800 } }
  const [ann, bob] = await two(world, wide)
  for (const tab of [ann, bob]) await tab.enter('Studio')
  await ann.say('Good morning! Who paints today?')
  await bob.hears('ann: Good morning! Who paints today?')
  await bob.say('I do. What shall it be?')
  await ann.paint('Hills behind the fjord, early')
  const half = tab => until(async () => await tab.job('Hills behind the fjord, early').locator('progress')
    .evaluateAll(all => all[0]?.value > 30), 'some of a picture', 20_000)
  await Promise.all([half(ann), half(bob)])
  await ann.page.screenshot({ path: `${SCREENS}/rooms-node-a.png` })
  await bob.page.screenshot({ path: `${SCREENS}/rooms-node-b.png` })
  const phone = { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, hasTouch: true, colorScheme: 'dark' }
  const cleo = await world.tab(await world.context(phone), 'Cleo Moreau', world.nodes[1])
  await cleo.enter('Studio')
  await cleo.page.screenshot({ path: `${SCREENS}/rooms-node-phone.png` })
  const wider = await cleo.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  assert.ok(wider <= 0, 'the page is wider than its window')
})

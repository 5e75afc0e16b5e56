// Node's EventSource as a client: eventsource.mjs URL TYPE... prints a line of JSON for each thing that happens.
import { EventSource } from '../browser/node_modules/eventsource/dist/index.js'

const [url, ...types] = process.argv.slice(2)
const say = what => process.stdout.write(JSON.stringify(what) + '\n')
const source = new EventSource(url)

source.onopen = () => say({ state: 'open' })
source.onerror = error => say({ state: source.readyState === EventSource.CLOSED ? 'closed' : 'lost', code: error.code })
for (const type of types) {
  source.addEventListener(type, event => say({ type, data: event.data, id: event.lastEventId }))
}

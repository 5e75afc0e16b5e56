// Node's EventSource as a client: eventsource.mjs URL TYPE... prints a line of JSON for each thing that happens. What
// AUTHORIZATION says in the environment is the header of that name.
import { EventSource } from '../browser/node_modules/eventsource/dist/index.js'

const [url, ...types] = process.argv.slice(2)
const say = what => process.stdout.write(JSON.stringify(what) + '\n')
const { AUTHORIZATION: authorization } = process.env
const source = new EventSource(url, authorization && {
  fetch: (address, options) => fetch(address, { ...options, headers: { ...options.headers, authorization } }),
})

source.onopen = () => say({ state: 'open' })
source.onerror = error => say({ state: source.readyState === EventSource.CLOSED ? 'closed' : 'lost', code: error.code })
for (const type of types) {
  source.addEventListener(type, event => say({ type, data: event.data, id: event.lastEventId }))
}

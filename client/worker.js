/*
 * The SharedWorker of client/shared.js: one connection for all tabs that name the same stream, told by the
 * worker's own name. A module worker; where a browser has none of those, shared.js connects from the page. A browser
 * may end a worker that it has use for the memory of: the lock that it holds tells the pages.
 */
import { Connection, hold_lock } from './connection.js'

const connection = new Connection(JSON.parse(self.name.slice(self.name.indexOf('{'))))

const lock = hold_lock()

self.onconnect = async ({ ports: [port] }) => {
  connection.attach(port)
  port.postMessage({ is: 'there', lock: await lock })
}

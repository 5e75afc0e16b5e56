/*
 * The SharedWorker of client/shared.js: one connection for all tabs that name the same stream, told by the
 * worker's own name. A module worker; where a browser has none of those, shared.js connects from the page.
 */
import { Connection } from './connection.js'

const connection = new Connection(JSON.parse(self.name.slice(self.name.indexOf('{'))))

self.onconnect = ({ ports: [port] }) => {
  connection.attach(port)
  port.postMessage({ is: 'there' })
}

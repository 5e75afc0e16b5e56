// Streams over one HTTP/2 connection: http2.mjs AUTHORITY COUNT PATH asks for PATH so often and prints a line of JSON for
// each answer's status and for each line of data, with the stream's number.
import http2 from 'node:http2'

const [authority, count, path] = process.argv.slice(2)
const say = what => process.stdout.write(JSON.stringify(what) + '\n')
const session = http2.connect(authority)
session.on('error', error => say({ error: String(error) }))

for (let number = 1; number <= Number(count); number++) {
  const stream = session.request({ ':path': path, accept: 'text/event-stream' })
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('response', headers => say({ number, status: headers[':status'] }))
  stream.on('data', text => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    for (const line of lines) if (line.startsWith('data:')) say({ number, data: line.slice(5).trim() })
  })
}

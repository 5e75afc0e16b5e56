/*
 * Who this tab is. A token is kept for the tab alone, so that two tabs can be two people; one that has expired is
 * asked for again.
 */

const KEY = 'rooms'

export const session = JSON.parse(sessionStorage.getItem(KEY) ?? 'null') ?? {}

export async function sign_in(user) {
  const answer = await fetch('/login', {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ user }),
  })
  if (!answer.ok) throw new Error(`POST /login: ${answer.status}`)
  Object.assign(session, await answer.json())
  sessionStorage.setItem(KEY, JSON.stringify(session))
}

export function sign_out() { sessionStorage.removeItem(KEY) }

/** Asks with this tab's token; once more with a new one where that is no longer good. `tag`: of the stream that
 * shall not hear of it. */
export async function ask(method, path, body, tag, again = true) {
  const headers = { Authorization: `Bearer ${session.token}` }
  if (body) headers['Content-Type'] = 'application/json'
  if (tag) headers['X-Session-Tag'] = tag
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) })
  if (answer.status === 401 && again) {
    await sign_in(session.user)
    return ask(method, path, body, tag, false)
  }
  return answer
}

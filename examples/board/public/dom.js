/* Making elements, asking the server, saying things to those who listen instead of look. */

/** An element: `make('button', { class: 'quiet', onclick }, 'Text', child)`. Text is text, never HTML. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value)
    else if (value === true) element.setAttribute(key, '')
    else if (value !== false && value != null) element.setAttribute(key, value)
  }
  element.append(...children.filter(child => child != null))
  return element
}

export const say = text => { document.getElementById('said').textContent = text }
export const fail = text => { document.getElementById('failure').textContent = text }

/** What the server answers: {status, json}. Raises where it cannot be reached, or says that it is ill. */
export async function ask(fetch, method, path, body) {
  const answer = await fetch(path, {
    method,
    headers: body ? { 'Content-Type': 'application/json' } : {},
    body: body && JSON.stringify(body),
  })
  if (answer.status >= 500) throw new Error(`${method} ${path}: ${answer.status}`)
  const json = answer.headers.get('Content-Type')?.startsWith('application/json') ? await answer.json() : null
  return { status: answer.status, ok: answer.ok, json }
}

/** A dialog that is gone when it is closed. `build(close)` returns what is in it. */
export function dialog(title, build) {
  const close = () => element.close()
  const element = make('dialog', { 'aria-label': title, onclose: () => element.remove() })
  const cross = make('button', { class: 'cross', 'aria-label': 'Close', onclick: close })
  element.append(make('header', {}, make('h2', {}, title), cross), ...[build(close)].flat())
  element.addEventListener('click', event => { if (event.target === element) close() })
  document.body.append(element)
  element.showModal()
  return element
}

/** A form of one text. */
export function text_form(label, value, action, submit) {
  const input = make('input', { name: 'text', value, required: true, maxlength: 80, autocomplete: 'off' })
  return make('form', { class: 'line', onsubmit: event => { event.preventDefault(); submit(input.value) } },
    make('label', {}, make('span', {}, label), input), make('button', { class: 'primary' }, action))
}

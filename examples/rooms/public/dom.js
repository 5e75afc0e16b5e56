/* Making elements, and the face of a person. */

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

/** A round face with somebody's initials, in a colour that is always the same for a user. */
export function face(user, name) {
  let hue = 0
  for (const letter of user) hue = (hue * 31 + letter.codePointAt(0)) % 8
  const initials = (name || user).split(/\s+/).map(word => word[0]).slice(0, 2).join('').toUpperCase()
  return make('span', { class: `face hue-${hue}`, 'aria-hidden': 'true' }, initials)
}

/*
 * Moving a card: with a mouse or a pen at once, with a finger after it has rested on the card for a moment (before
 * that it scrolls), with the keyboard by Space and the arrows. All of them move the card's own element about and
 * tell the board where it was put; the board's events wait meanwhile.
 */
import { say } from './dom.js'
import { card_dialog } from './dialogs.js'

const FAR = 6      // px that a mouse moves before it is a drag
const REST = 280   // ms that a finger rests
const EDGE = 60    // px from the edge where the columns scroll

export function draggable(board) {
  const { element } = board
  let held = null // what is being dragged, or carried by key

  element.addEventListener('pointerdown', event => {
    const card = event.target.closest('.card')
    if (!card || event.button !== 0 || held) return
    press(event, card)
  })
  element.addEventListener('keydown', event => {
    const card = event.target.closest('.card')
    if (card && event.target.matches('.face-of-card')) by_key(event, card)
  })
  element.addEventListener('focusout', event => {
    if (held?.by_key && !held.moving && event.target.closest('.card') === held.card) put_back()
  })

  // ---- pointer ----

  function press(down, card) {
    const abort = new AbortController()
    const listen = (type, run, options) => addEventListener(type, run, { signal: abort.signal, ...options })
    const finger = down.pointerType === 'touch'
    const rest = finger && setTimeout(() => lift(down, card), REST)
    const stop = () => { clearTimeout(rest); abort.abort() }
    const same = run => event => { if (event.pointerId === down.pointerId) run(event) }

    listen('pointermove', same(event => {
      if (held) return drag(event)
      if (Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < FAR) return
      if (finger) return stop() // it scrolls
      lift(down, card)
      drag(event)
    }))
    listen('touchmove', event => { if (held) event.preventDefault() }, { passive: false })
    listen('contextmenu', event => { if (finger) event.preventDefault() })
    listen('pointerup', same(() => {
      stop()
      if (held) drop()
      else if (down.target.closest('.face-of-card')) card_dialog(board, card.dataset.card)
    }))
    listen('pointercancel', same(() => { stop(); put_back() }))
    listen('keydown', event => { if (event.key === 'Escape' && held) { stop(); put_back() } })
  }

  function lift(down, card) {
    const box = card.getBoundingClientRect()
    const ghost = card.cloneNode(true)
    ghost.className = 'card ghost'
    ghost.removeAttribute('data-card')
    ghost.setAttribute('aria-hidden', 'true')
    ghost.style.width = `${box.width}px`
    document.body.append(ghost)
    take_up(card, { ghost, grip: [down.clientX - box.left, down.clientY - box.top] })
    at(down)
    getSelection()?.removeAllRanges()
  }

  function at(event) {
    held.ghost.style.translate = `${event.clientX - held.grip[0]}px ${event.clientY - held.grip[1]}px`
  }

  function drag(event) {
    at(event)
    scroll(event)
    const column = column_at(event.clientX, event.clientY)
    if (!column) return
    const before = others(column).find(other => {
      const box = other.getBoundingClientRect()
      return event.clientY < box.top + box.height / 2
    })
    place(column, before)
  }

  // A column ends with its last card; what is free below it is the column's, too.
  function column_at(x, y) {
    const under = document.elementFromPoint(x, y)
    if (!under || !element.contains(under)) return null
    return under.closest('.column') ?? (under === board.row ? [...board.row.children].find(column => {
      const box = column.getBoundingClientRect()
      return x >= box.left && x < box.right
    }) : null)
  }

  function scroll(event) {
    const row = board.row
    const box = row.getBoundingClientRect()
    if (event.clientX < box.left + EDGE) row.scrollBy(-12, 0)
    else if (event.clientX > box.right - EDGE) row.scrollBy(12, 0)
    const list = document.elementFromPoint(event.clientX, event.clientY)?.closest('.cards')
    const edges = list?.getBoundingClientRect()
    if (edges && event.clientY < edges.top + EDGE / 2) list.scrollBy(0, -8)
    else if (edges && event.clientY > edges.bottom - EDGE / 2) list.scrollBy(0, 8)
  }

  // ---- keyboard ----

  function by_key(event, card) {
    if (event.key === ' ') {
      event.preventDefault()
      if (held) return drop()
      take_up(card, { by_key: true })
      return say(`${title()} picked up. ${where()}`)
    }
    if (!held) {
      if (event.key === 'Enter') {
        event.preventDefault()
        card_dialog(board, card.dataset.card)
      }
      return
    }
    if (event.key === 'Escape') return put_back()
    const step = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key]
    if (!step) return
    event.preventDefault()
    const columns = [...board.row.children]
    const column = columns[columns.indexOf(card.closest('.column')) + step[0]]
    if (!column) return
    const index = position()
    const list = others(column)
    place(column, list[step[0] ? Math.min(index, list.length) : Math.max(0, index + step[1])])
    card.querySelector('.face-of-card').focus()
    card.scrollIntoView({ block: 'nearest', inline: 'nearest' })
    say(where())
  }

  const title = () => held.card.querySelector('.title').textContent
  const where = () => {
    const column = held.card.closest('.column')
    return `${column.querySelector('h3').textContent}, place ${position() + 1} of ${others(column).length + 1}`
  }

  // ---- both ----

  function others(column) {
    return [...column.querySelectorAll('.card')].filter(card => card !== held.card)
  }

  function position() { return [...held.card.parentElement.children].indexOf(held.card) }

  function take_up(card, how) {
    held = { card, ...how, home: [card.parentElement, card.nextElementSibling], resume: board.pause() }
    card.classList.add('held')
    element.classList.add('dragging')
  }

  function place(column, before) {
    const list = column.querySelector('.cards')
    if (held.card.parentElement === list && (before ? before.previousElementSibling : list.lastElementChild) === held.card) return
    held.moving = true // to be moved costs an element its focus
    list.insertBefore(held.card, before ?? null)
    held.moving = false
  }

  function let_go() {
    const { card, ghost, resume } = held
    card.classList.remove('held')
    element.classList.remove('dragging')
    ghost?.remove()
    held = null
    return resume
  }

  function drop() {
    const { card } = held
    const target = [card.dataset.card, card.closest('.column').dataset.column, position()]
    const resume = let_go()
    board.move(...target)
    resume()
  }

  function put_back() {
    if (!held) return
    const { card, home, by_key } = held
    const focused = card.contains(document.activeElement)
    held.moving = true
    home[0].insertBefore(card, home[1])
    if (by_key) say(`${title()}: put back`)
    if (by_key && focused) card.querySelector('.face-of-card').focus()
    let_go()()
  }
}

/* What a room shows: who is here, what is said, and the jobs that run. */
import { face, make } from './dom.js'
import { picture } from './picture.js'
import { ask } from './session.js'

const time_of = text => new Date(text).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
const SHOWN = 500 // entries; older ones go
const PAUSE = 2_000 // before the list of people is asked for again
const SAME = 5 * 60_000 // what one person says within this time stands together

/** The people in the room: as the server lists them, and then as they come and go. How many they are is not known
 * before they were listed. */
export class Members {
  constructor(element, room) {
    Object.assign(this, { element, room, people: new Map(), reading: false, again: false, known: false, closed: false })
  }

  // Somebody may come or go while the list is under way: then it is read once more. Where there is none, it is asked
  // for until there is.
  async read() {
    if (this.reading) return void (this.again = true)
    this.reading = true
    do {
      this.again = false
      const answer = await ask('GET', `/api/channels/${this.room}/members`).catch(() => null)
      if (answer?.ok) this.take((await answer.json()).members)
      else if (!answer || answer.status >= 500) this.again = await new Promise(resolve => setTimeout(resolve, PAUSE, true))
    } while (this.again && !this.closed)
    this.reading = false
    this.show()
  }

  take(members) {
    this.people = new Map(members.map(({ userId, userName }) => [userId, userName ?? userId]))
    this.known = true
  }

  tell({ userId, userName, status }) {
    this.again = true
    if (status === 'online') this.people.set(userId, userName ?? userId)
    else this.people.delete(userId)
    this.show()
  }

  /** It is another room's turn to be shown. */
  close() { this.closed = true }

  show() {
    if (this.closed) return
    const people = [...this.people].sort(([, one], [, other]) => one.localeCompare(other))
    this.element.replaceChildren(
      make('p', {}, this.known ? `${people.length} here` : ''),
      make('ul', {}, ...people.map(([user, name]) => make('li', { 'data-user': user, title: name }, face(user, name),
        make('span', { class: 'name' }, name)))))
  }
}

/** What is said and done, the newest below. */
export class Timeline {
  /** `empty`: what stands there while there is nothing. */
  constructor(element, empty) {
    Object.assign(this, { element, jobs: new Map() })
    element.dataset.empty = empty
    element.replaceChildren()
  }

  // Stays at the end for who is there, and where it is for who reads what was.
  add(build) {
    const { element } = this
    const at_end = element.scrollHeight - element.scrollTop - element.clientHeight < 80
    const added = build()
    if (at_end) element.scrollTop = element.scrollHeight
    return added
  }

  entry({ userId, userName, timestamp }, kind, ...content) {
    const last = this.element.lastElementChild
    const follows = last?.dataset.kind === kind && last.dataset.user === userId && kind === 'chat' &&
      new Date(timestamp) - new Date(last.dataset.at) < SAME
    const entry = make('li', { 'data-kind': kind, 'data-user': userId, 'data-at': timestamp, class: follows ? 'follows' : null },
      follows ? null : face(userId, userName),
      follows ? null : make('p', { class: 'by' }, make('b', {}, userName ?? userId), ' ',
        make('time', { datetime: timestamp }, time_of(timestamp))),
      ...content)
    this.element.append(entry)
    if (this.element.childElementCount > SHOWN) this.forget(this.element.firstElementChild)
    return entry
  }

  forget(entry) {
    this.jobs.delete(entry.dataset.job)
    entry.remove()
  }

  say(message) { return this.add(() => this.entry(message, 'chat', make('p', { class: 'said' }, message.content))) }

  /** A job's card, made when it is first heard of. */
  job(message) {
    let job = this.jobs.get(message.jobId)
    if (job) return job
    job = {
      title: make('p', { class: 'title' }, message.content),
      bar: make('progress', { max: 100, value: 0, 'aria-label': message.content }),
      step: make('span', {}, 'Waiting'), part: make('span', { class: 'part' }, '0 %'), done: false,
    }
    job.state = make('p', { class: 'state' }, job.step, job.part)
    job.card = make('div', { class: 'job', 'data-state': 'running' }, job.title, job.bar, job.state)
    this.entry(message, 'job', job.card).dataset.job = message.jobId
    this.jobs.set(message.jobId, job)
    return job
  }

  progress(message) {
    this.add(() => {
      const job = this.job(message)
      if (job.done) return
      job.bar.value = message.progress
      job.step.textContent = message.message ?? ''
      job.part.textContent = `${Math.round(message.progress)} %`
    })
  }

  complete(message) {
    this.add(() => {
      const job = this.job(message)
      if (job.done) return
      job.done = true
      job.card.dataset.state = message.status ?? 'done'
      if (message.result?.seed === undefined) return job.state.replaceChildren('It did not work out')
      job.bar.remove()
      job.state.remove()
      job.card.prepend(picture(message.result.seed, message.content))
    })
  }
}

/* What can be done with a card, a column and a board besides dragging: dialogs, made of plain forms. */
import { dialog, make, text_form } from './dom.js'

const option = (value, text, selected) => make('option', { value, selected }, text)

/** A card: another column, its links. The way for those who drag neither by hand nor by key. */
export function card_dialog(board, id) {
  const { card, column } = board.card(id)
  dialog(card.title, close => {
    const act = (...change) => { close(); board.change(...change) }
    const columns = make('select', { onchange: event => {
      close()
      const target = board.columns.find(one => one.column === event.target.value)
      board.move(id, target.column, target.cards.length)
    } }, ...board.columns.map(one => option(one.column, one.name, one === column)))

    const others = board.columns.flatMap(one => one.cards)
      .filter(other => other.card !== id && !card.links.includes(other.card))
    const link = make('select', { onchange: event => act('PUT', `/cards/${id}/links/${event.target.value}`) },
      option('', 'Choose a card', true), ...others.map(other => option(other.card, other.title)))
    const links = card.links.map(other => make('li', {}, make('span', {}, board.card(other)?.card.title ?? other),
      make('button', { class: 'quiet', onclick: () => act('DELETE', `/cards/${id}/links/${other}`) }, 'Unlink')))
    return [
      make('label', { class: 'field' }, make('span', {}, 'Column'), columns),
      make('label', { class: 'field' }, make('span', {}, 'Link with'), link),
      links.length ? make('ul', { class: 'rows', 'aria-label': 'Linked with' }, ...links) : '',
    ]
  })
}

export function column_dialog(board, column) {
  const place = board.columns.indexOf(column)
  const heir = board.columns[place - 1] ?? board.columns[place + 1]
  dialog(column.name, close => {
    const act = (...change) => { close(); board.change(...change) }
    const step = (text, by) => make('button', { class: 'quiet', disabled: !board.columns[place + by], onclick: () => {
      const order = board.columns.map(one => one.column)
      order.splice(place + by, 0, ...order.splice(place, 1))
      act('PUT', `/projects/${board.project}/order`, { columns: order })
    } }, text)
    return [
      text_form('Name', column.name, 'Rename', name => act('PATCH', `/columns/${column.column}`, { name })),
      make('div', { class: 'buttons' }, step('Move left', -1), step('Move right', 1),
        make('button', { class: 'danger', disabled: !heir, onclick: () => act('DELETE', `/columns/${column.column}`) }, 'Delete')),
      heir && column.cards.length ? make('p', { class: 'hint' }, `Its cards go to ${heir.name}.`) : '',
    ]
  })
}

export function new_column_dialog(board) {
  dialog('New column', close => text_form('Name', '', 'Add', name => {
    close()
    board.change('POST', `/projects/${board.project}/columns`, { name })
  }))
}

export function board_dialog(board) {
  const owner = board.owner === board.me.user
  dialog(board.name, close => {
    const act = (...change) => { close(); board.change(...change) }
    const shares = board.people.map(({ user, name }) => make('li', {}, make('label', { class: 'check' },
      make('input', { type: 'checkbox', checked: board.members.includes(user), disabled: !owner || user === board.owner,
        onchange: event => board.change(event.target.checked ? 'PUT' : 'DELETE',
          `/projects/${board.project}/members/${user}`) }),
      make('span', {}, user === board.owner ? `${name} (owner)` : name))))
    return [
      text_form('Name', board.name, 'Rename', name => act('PATCH', `/projects/${board.project}`, { name })),
      make('fieldset', {}, make('legend', {}, 'Who can see it'), make('ul', { class: 'rows' }, ...shares)),
      owner ? make('div', { class: 'buttons' }, make('button', { class: 'danger', onclick: () => {
        close()
        board.change('DELETE', `/projects/${board.project}`)
      } }, 'Delete the board')) : '',
    ]
  })
}

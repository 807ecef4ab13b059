// Elements, icons and small interactions. Data only ever becomes text nodes and attributes, never markup.
import { t } from './text.js'

/** h('button.primary', { onclick, title, dataTest, aria: {…} }, 'text', child, …) */
export function h(spec, attributes, ...children) {
  const [tag, ...classes] = spec.split('.')
  const node = document.createElement(tag || 'div')
  if (classes.length) node.className = classes.join(' ')
  if (attributes) set(node, attributes)
  append(node, children)
  return node
}

function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value)
    else if (name === 'test') node.dataset.test = value
    else if (name === 'data') Object.assign(node.dataset, value)
    else if (name === 'aria') for (const key in value) node.setAttribute('aria-' + key, value[key])
    else if (name in node && typeof value !== 'string') node[name] = value
    else node.setAttribute(name, value === true ? '' : value)
  }
}

export function append(node, children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue
    node.append(child instanceof Node ? child : String(child))
  }
  return node
}

export const fill = (node, ...children) => append((node.replaceChildren(), node), children)

/** Writes only what changed, so that polling moves nothing and keeps selections. */
export function setText(node, text) {
  text = String(text)
  if (node.firstChild?.nodeType === 3 && !node.firstChild.nextSibling) {
    if (node.firstChild.data !== text) node.firstChild.data = text
  } else if (node.textContent !== text) node.textContent = text
}
export const setClass = (node, name, on) => node.classList.toggle(name, !!on)
export const setHidden = (node, hidden) => { if (node.hidden !== !!hidden) node.hidden = !!hidden }
export function setAttribute(node, name, value) {
  if (value === null || value === undefined) node.removeAttribute(name)
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value)
}

/** Keeps a list of elements in step with items: same key, same element. */
export function reconcile(parent, items, keyOf, make, update) {
  const old = parent.keyed ??= new Map()
  const next = new Map()
  let at = parent.firstChild
  for (const item of items) {
    const key = keyOf(item)
    if (next.has(key)) continue
    let node = old.get(key)
    if (!node) node = make(item)
    else old.delete(key)
    next.set(key, node)
    update?.(node, item)
    if (node === at) at = at.nextSibling
    else parent.insertBefore(node, at)
  }
  for (const node of old.values()) node.remove()
  parent.keyed = next
}

const paths = {
  wall: 'M4 5h7v6H4zM13 5h7v6h-7zM4 13h7v6H4zM13 13h7v6h-7z',
  devices: 'M3 8.5l12-3.7 2.6 6L6.4 15zM17 9l3 .6M9 14.4V17a2 2 0 0 0 2 2h3M3 15v6',
  streams: 'M3 12h4l3-8 4 16 3-8h4',
  server: 'M4 5h16v6H4zM4 13h16v6H4zM8 8h.01M8 16h.01M12 8h5M12 16h5',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M5 19l1.4-1.4M17.6 6.4L19 5',
  moon: 'M20 14.5A8 8 0 0 1 9.5 4 8 8 0 1 0 20 14.5z',
  help: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM9.5 9.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8M12 16.8h.01',
  logout: 'M10 4H5v16h5M15 8l4 4-4 4M19 12H9',
  search: 'M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5L20 20',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  close: 'M6 6l12 12M18 6L6 18',
  expand: 'M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5',
  play: 'M7 5l12 7-12 7z',
  refresh: 'M20 11a8 8 0 0 0-14-4.5L4 8.5M4 4v4.5h4.5M4 13a8 8 0 0 0 14 4.5l2-2M20 20v-4.5h-4.5',
  chevron: 'M9 6l6 6-6 6',
  back: 'M15 6l-6 6 6 6',
  warning: 'M12 4L2.5 20h19zM12 10v4.5M12 17.5h.01',
  info: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v5.5M12 7.5h.01',
  plus: 'M12 5v14M5 12h14',
  loop: 'M17 3l3 3-3 3M20 6H8a4 4 0 0 0-4 4v1M7 21l-3-3 3-3M4 18h12a4 4 0 0 0 4-4v-1',
  list: 'M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  message: 'M4 5h16v12H9l-5 4z',
  eye: 'M2.5 12s3.5-6.5 9.5-6.5S21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z',
  up: 'M12 19V5M6 11l6-6 6 6',
  down: 'M12 5v14M6 13l6 6 6-6',
}

export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('viewBox', '0 0 24 24')
  svg.setAttribute('class', 'icon')
  svg.setAttribute('aria-hidden', 'true')
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path')
  path.setAttribute('d', paths[name])
  svg.append(path)
  return svg
}

export const button = (kind, iconName, text, onclick, attributes) =>
  h('button.' + (kind || 'plain'), { type: 'button', onclick, ...attributes }, iconName && icon(iconName), text && h('span', null, text))

export const iconButton = (iconName, label, onclick, attributes) =>
  h('button.icon-button', { type: 'button', title: label, aria: { label }, onclick, ...attributes }, icon(iconName))

export const lamp = (state, label) => h('span.lamp', { data: { state }, ...(label ? { role: 'img', aria: { label }, title: label } : { aria: { hidden: true } }) })
export function setLamp(node, state, label) {
  if (node.dataset.state !== state) node.dataset.state = state
  if (label) { setAttribute(node, 'aria-label', label); setAttribute(node, 'title', label) }
}

/** Copies text; on pages without https, where there is no clipboard API, by a selection. */
export async function copy(text) {
  try {
    if (navigator.clipboard && window.isSecureContext) { await navigator.clipboard.writeText(text); return true }
  } catch { /* the permission is missing: try the other way */ }
  const area = h('textarea.off-screen', { readOnly: true })
  area.value = text
  const back = document.activeElement
  ;(document.querySelector('dialog[open]') ?? document.body).append(area)
  area.select()
  const done = document.execCommand('copy')
  area.remove()
  back?.focus?.()
  return done
}

/** A value with a button that copies it. */
export function copyable(value, label, test) {
  const text = h('code', null, value)
  const control = iconButton('copy', t('copy.what', { what: label }), async () => {
    const done = await copy(text.textContent)
    fill(control, icon(done ? 'check' : 'close'))
    setClass(control, 'done', done)
    announce(t(done ? 'copied' : 'copy.failed'))
    setTimeout(() => { fill(control, icon('copy')); setClass(control, 'done', false) }, 1500)
  }, { test: test && test + '-copy' })
  return h('span.copyable', { test, title: value }, text, control)
}

const toasts = h('.toasts', { role: 'status', aria: { live: 'polite' }, test: 'toasts' })
const live = h('.off-screen', { aria: { live: 'polite' } })
export const announce = text => setText(live, text)

/** What was attempted, and below it what the server said. Errors stay longer. */
export function toast(kind, title, ...details) {
  if (!toasts.isConnected) document.body.append(toasts, live)
  // A modal dialog is above everything else, so that toasts have to be in the same layer.
  if (toasts.showPopover) { toasts.popover = 'manual'; try { toasts.hidePopover() } catch { /* was not shown */ } toasts.showPopover() }
  const text = details.filter(Boolean).join('\n')
  const same = [...toasts.children].find(node => node.title === title + text)
  same?.remove()
  const node = h('.toast.' + kind, { title: title + text, test: 'toast-' + kind },
    icon(kind === 'error' ? 'warning' : kind === 'good' ? 'check' : 'info'),
    h('div', null, h('strong', null, title), text && h('p', null, text)),
    iconButton('close', t('close'), () => node.remove()))
  toasts.append(node)
  while (toasts.children.length > 4) toasts.firstChild.remove()
  setTimeout(() => node.remove(), kind === 'error' ? 12000 : 4000)
}

/** A modal dialog; resolves with what `close(value)` is given. */
export function dialog(title, body, { wide, test, actions } = {}) {
  return new Promise(resolve => {
    const heading = h('h2', { id: 'dialog-title' }, title)
    const close = value => { node.returned = value; node.close() }
    const node = h('dialog.dialog' + (wide ? '.wide' : ''), { test, aria: { labelledby: 'dialog-title' } },
      h('header', null, heading, iconButton('close', t('close'), () => close(), { test: 'dialog-close' })),
      h('.dialog-body', null, body(close)),
      actions && h('footer', null, actions(close)))
    node.addEventListener('close', () => { node.remove(); resolve(node.returned) })
    node.addEventListener('click', event => { if (event.target === node) close() })
    document.body.append(node)
    node.showModal()
  })
}

export const confirm = (title, text, verb) => dialog(title, () => h('p', null, text), {
  test: 'confirm',
  actions: close => [
    button('plain', null, t('cancel'), () => close(false), { test: 'confirm-cancel' }),
    button('danger', null, verb, () => close(true), { test: 'confirm-do', autofocus: true }),
  ],
})

/** A picture for "nothing here", with what to do about it. */
export const empty = (iconName, title, text, ...actions) =>
  h('.empty', null, icon(iconName), h('h3', null, title), text && h('p', null, text), actions.length ? h('.row', null, actions) : null)

/** Local storage that may be absent, full or forbidden. */
export const remembered = {
  get(name, fallback) {
    try { return JSON.parse(localStorage.getItem('gbgate.' + name)) ?? fallback } catch { return fallback }
  },
  set(name, value) {
    try {
      if (value === null) localStorage.removeItem('gbgate.' + name)
      else localStorage.setItem('gbgate.' + name, JSON.stringify(value))
    } catch { /* works without memory */ }
  },
}

// A list of any length of which only the visible rows exist.
import { h, reconcile, setAttribute, setClass } from './dom.js'

const touch = matchMedia('(pointer: coarse), (max-width: 760px)')
let lists = 0

export class VirtualList {
  items = []
  active = null
  #id = 'list' + (lists += 1)
  #pending = 0

  /** options: keyOf(item), make(item) -> row, update(row, item), onactivate(item, event), onkey(event, item) -> handled,
      rowHeight [mouse, touch], role, label, test */
  constructor(options) {
    this.options = options
    this.space = h('.list-space', { role: 'presentation' })
    this.element = h('.list', {
      tabIndex: 0, role: options.role ?? 'listbox', aria: { label: options.label }, test: options.test,
      onscroll: () => this.#soon(), onkeydown: event => this.#key(event),
      onclick: event => {
        const row = event.target.closest('.list-row')
        if (!row || event.target.closest('button, a, input, select')) return
        this.setActive(row.key)
        options.onactivate?.(this.#item(row.key), event)
      },
      onfocus: () => { if (this.#index() < 0 && this.items.length) this.setActive(options.keyOf(this.items[0]), false) },
    }, this.space)
    this.sizes = new ResizeObserver(() => this.#soon())
    this.sizes.observe(this.element)
    this.media = () => this.render()
    touch.addEventListener('change', this.media)
  }

  close() {
    this.sizes.disconnect()
    touch.removeEventListener('change', this.media)
    cancelAnimationFrame(this.#pending)
  }

  get rowHeight() { return (this.options.rowHeight ?? [34, 44])[touch.matches ? 1 : 0] }

  show(items) { this.items = items; this.render() }

  render() {
    const height = this.rowHeight, view = this.element.clientHeight || 0
    const total = this.items.length * height + 'px'
    if (this.space.style.height !== total) this.space.style.height = total
    const first = Math.max(0, Math.floor(this.element.scrollTop / height) - 4)
    const last = Math.min(this.items.length, Math.ceil((this.element.scrollTop + view) / height) + 4)
    const { keyOf, make, update } = this.options
    let index = first
    reconcile(this.space, this.items.slice(first, last), keyOf, item => {
      const row = make(item)
      row.classList.add('list-row')
      row.key = keyOf(item)
      row.id = this.#id + '-' + row.key.replace(/[^\w]/g, '_')
      return row
    }, (row, item) => {
      const top = index * height + 'px'
      if (row.style.top !== top) row.style.top = top
      if (row.style.height !== height + 'px') row.style.height = height + 'px'
      setAttribute(row, 'aria-posinset', index + 1)
      setAttribute(row, 'aria-setsize', this.items.length)
      index += 1
      setClass(row, 'active', row.key === this.active)
      update(row, item)
    })
    const row = this.#row(this.active)
    setAttribute(this.element, 'aria-activedescendant', row ? row.id : null)
  }

  setActive(key, scroll = true) {
    this.active = key
    const index = this.#index()
    if (scroll && index >= 0) {
      const height = this.rowHeight, top = index * height
      if (top < this.element.scrollTop) this.element.scrollTop = top
      else if (top + height > this.element.scrollTop + this.element.clientHeight) this.element.scrollTop = top + height - this.element.clientHeight
    }
    this.render()
  }

  #soon() {
    cancelAnimationFrame(this.#pending)
    this.#pending = requestAnimationFrame(() => this.render())
  }
  #row(key) { return this.space.keyed?.get(key) }
  #item(key) { return this.items.find(item => this.options.keyOf(item) === key) }
  #index() { return this.active === null ? -1 : this.items.findIndex(item => this.options.keyOf(item) === this.active) }

  #key(event) {
    if (event.target !== this.element || event.ctrlKey || event.metaKey || event.altKey) return
    const index = this.#index(), page = Math.max(1, Math.floor(this.element.clientHeight / this.rowHeight) - 1)
    const moves = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: this.items.length - 1, PageDown: index + page, PageUp: index - page }
    const item = this.items[index]
    if (item && this.options.onkey?.(event, item)) event.preventDefault()
    else if (event.key in moves) {
      if (!this.items.length) return
      event.preventDefault()
      const next = Math.max(0, Math.min(this.items.length - 1, moves[event.key]))
      this.setActive(this.options.keyOf(this.items[next]))
    } else if (event.key === 'Enter' && item) {
      event.preventDefault()
      this.options.onactivate?.(item, event)
    }
  }
}

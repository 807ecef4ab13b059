// Devices with their channels, and streams that no device sends, in one searchable list.
import { h, icon, iconButton, lamp, setAttribute, setClass, setHidden, setLamp, setText } from './dom.js'
import { VirtualList } from './list.js'
import { activity, channelKey, directory, nameOf } from './store.js'
import { t } from './text.js'

export class Tree {
  expanded = new Set()
  streams = []
  selected = null
  #rows = []
  #known = false

  /** options: onactivate(item), expands (a device opens when it is activated), draggable, marked (Set of keys of the carousel), onmark(key) */
  constructor(options) {
    this.options = options
    this.search = h('input.search', {
      type: 'search', placeholder: t('search'), aria: { label: t('search') }, test: 'search', autocomplete: 'off', spellcheck: false,
      oninput: () => this.refresh(),
      onkeydown: event => {
        if (event.key === 'ArrowDown') { event.preventDefault(); this.list.element.focus() }
        if (event.key === 'Escape' && this.search.value) { event.stopPropagation(); this.search.value = ''; this.refresh() }
      },
    })
    this.filter = h('select', { aria: { label: t('filter') }, test: 'filter', onchange: () => this.refresh() },
      ['all', 'online', 'offline', 'live'].map(value => h('option', { value }, t('filter.' + value))))
    this.list = new VirtualList({
      role: 'tree', label: t('devices.tree'), test: 'tree', keyOf: item => item.key,
      make: item => this.#make(item), update: (row, item) => this.#update(row, item),
      onactivate: (item, event) => {
        if (item.kind === 'heading') return
        if (item.kind === 'device' && (options.expands || event.target?.closest?.('.twist'))) this.toggle(item)
        if (!event.target?.closest?.('.twist')) options.onactivate?.(item)
      },
      onkey: (event, item) => {
        if (event.key === 'ArrowRight' && item.kind === 'device' && !item.open) return this.toggle(item), true
        if (event.key === 'ArrowLeft' && item.kind === 'device' && item.open) return this.toggle(item), true
        if (event.key === 'ArrowLeft' && item.kind === 'channel') return this.list.setActive(item.device.device_id), true
        if (event.key === ' ' && options.onmark && item.kind !== 'heading') return this.#mark(item), true
        return false
      },
    })
    this.none = h('p.note', { hidden: true }, t('search.nothing'))
    this.element = h('.tree', null, h('.tree-head', null, h('label.search-box', null, icon('search'), this.search), this.filter), this.none, this.list.element)
  }

  close() { this.list.close() }

  toggle(item) {
    if (!this.expanded.delete(item.key)) this.expanded.add(item.key)
    this.refresh()
  }

  select(key) { this.selected = key; this.list.setActive(key) }

  refresh() {
    if (!this.#known && directory.devices.length) {
      this.#known = true
      if (directory.devices.length <= 12) for (const device of directory.devices) this.expanded.add(device.device_id)
    }
    const words = this.search.value.trim().toLowerCase(), filter = this.filter.value
    const hit = (name, id) => !words || name.toLowerCase().includes(words) || id.includes(words)
    const rows = []
    for (const device of directory.devices) {
      const online = device.status === 'online'
      if ((filter === 'online' && !online) || (filter === 'offline' && online)) continue
      const itself = hit(device.device_name ?? '', device.device_id)
      let channels = device.channels
      if (filter === 'live') channels = channels.filter(channel => activity(channel) === 'streaming')
      if (words && !itself) channels = channels.filter(channel => hit(channel.channel_name ?? '', channel.channel_id))
      if ((filter === 'live' || !itself) && !channels.length) continue
      const open = this.expanded.has(device.device_id) || (words && !itself) || filter === 'live'
      rows.push({ kind: 'device', key: device.device_id, device, open })
      if (open) for (const channel of channels) rows.push({ kind: 'channel', key: channelKey(device.device_id, channel.channel_id), device, channel })
    }
    const streams = filter === 'offline' ? [] : this.streams.filter(name => hit(name, name.toLowerCase()))
    if (streams.length) rows.push({ kind: 'heading', key: '#streams', name: t('tree.streams') })
    for (const name of streams) rows.push({ kind: 'stream', key: 'stream:' + name, name })
    setHidden(this.none, rows.length || !(words || filter !== 'all'))
    this.list.show(this.#rows = rows)
  }

  #mark(item) {
    const keys = item.kind === 'device' ? item.device.channels.map(channel => channelKey(item.key, channel.channel_id)) : [item.key]
    this.options.onmark(keys)
    this.list.render()
  }

  #make(item) {
    if (item.kind === 'heading') return h('.tree-heading', { role: 'presentation' }, item.name)
    const row = h('.tree-row.' + item.kind, {
      role: 'treeitem', test: 'tree-' + item.kind, aria: { level: item.kind === 'channel' ? 2 : 1 },
      draggable: !!this.options.draggable && item.kind !== 'device',
      ondragstart: event => { event.dataTransfer.setData('text/plain', row.key); event.dataTransfer.effectAllowed = 'copy' },
    })
    row.dataset.key = item.key
    row.lamp = lamp('off')
    row.name = h('span.tree-name')
    row.note = h('span.tree-note')
    if (item.kind === 'device') row.append(h('span.twist', null, icon('chevron')))
    row.append(row.lamp, row.name, row.note)
    if (this.options.onmark && item.kind !== 'device') {
      row.mark = iconButton('loop', t('carousel.mark'), () => this.#mark(item), { tabIndex: -1, test: 'carousel-mark' })
      row.append(row.mark)
    }
    return row
  }

  #update(row, item) {
    if (item.kind === 'heading') return
    setAttribute(row, 'aria-selected', String(item.key === this.selected))
    setClass(row, 'selected', item.key === this.selected)
    if (row.mark) {
      setClass(row.mark, 'on', this.options.marked.has(item.key))
      setAttribute(row.mark, 'aria-pressed', String(this.options.marked.has(item.key)))
    }
    if (item.kind === 'device') {
      const live = item.device.channels.reduce((sum, channel) => sum + (activity(channel) === 'streaming'), 0)
      setAttribute(row, 'aria-expanded', String(!!item.open))
      setLamp(row.lamp, item.device.status === 'online' ? 'good' : 'off', t('status.' + item.device.status))
      setText(row.name, nameOf(item.device))
      setText(row.note, (live ? live + ' / ' : '') + item.device.channels.length)
      setAttribute(row, 'title', nameOf(item.device) + '\n' + item.device.device_id)
    } else if (item.kind === 'channel') {
      const { state, label } = channelState(item.device, item.channel)
      setLamp(row.lamp, state, label)
      setText(row.name, nameOf(item.channel))
      setText(row.note, item.channel.last_error ? '!' : '')
      setAttribute(row, 'title', nameOf(item.channel) + '\n' + item.channel.channel_id + (item.channel.last_error ? '\n' + item.channel.last_error : ''))
      setClass(row, 'faulty', item.channel.last_error && activity(item.channel) !== 'streaming')
    } else {
      setLamp(row.lamp, 'live', t('status.streaming'))
      setText(row.name, item.name)
      setAttribute(row, 'title', item.name)
    }
  }
}

/** Lamp and words of a channel. */
export function channelState(device, channel) {
  const status = activity(channel)
  if (status === 'streaming') return { state: 'live', label: t('status.streaming') }
  if (status === 'inviting') return { state: 'busy', label: t('status.inviting') }
  if (device.status !== 'online') return { state: 'off', label: t('status.device.offline') }
  if (!channel.online) return { state: 'warn', label: t('status.catalog.offline') }
  return { state: 'good', label: t('status.idle') }
}

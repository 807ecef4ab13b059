// The wall: 1, 4, 9 or 16 tiles beside the tree of channels, and a carousel over many.
import { announce, button, h, iconButton, remembered, setAttribute, setClass, setText, toast } from './dom.js'
import { acquire, preferred, release } from './invitations.js'
import { channelKey, channelOf, directory, listenDevices, listenGroups, nameOf, source } from './store.js'
import { t } from './text.js'
import { Tile } from './tile.js'
import { Tree } from './tree.js'

const layouts = [1, 4, 9, 16]
const intervals = [5, 10, 20, 30, 60]

export class Wall {
  visible = false
  #offset = 0
  #turn = 0
  #ahead = 0
  #stops = []

  constructor() {
    const saved = remembered.get('wall', null)
    this.fresh = !saved
    this.layout = layouts.includes(saved?.layout) ? saved.layout : 4
    this.entries = Array.from({ length: 16 }, (_, index) => checked(saved?.tiles?.[index]))
    this.interval = intervals.includes(saved?.interval) ? saved.interval : 10
    this.marked = new Set(Array.isArray(saved?.marked) ? saved.marked.filter(key => typeof key === 'string') : [])
    this.live = []
    this.tiles = []
    this.tree = new Tree({
      expands: true, draggable: true, marked: this.marked, onmark: keys => this.#mark(keys),
      onactivate: item => { if (item.kind !== 'device') this.place(entryOf(item)) },
    })
    this.layoutButtons = layouts.map(count => h('button.segment', {
      type: 'button', onclick: () => this.setLayout(count), title: t('wall.layout', { n: count }), aria: { label: t('wall.layout', { n: count }) }, test: 'layout-' + count,
    }, count))
    this.carouselButton = button('plain', 'loop', t('carousel'), () => this.#carousel ? this.stopCarousel() : this.startCarousel(), { test: 'carousel', aria: { pressed: 'false' } })
    this.carouselSource = h('span.note')
    const interval = h('select', { aria: { label: t('carousel.interval') }, title: t('carousel.interval'), test: 'carousel-interval', onchange: () => { this.interval = Number(interval.value); this.#save(); if (this.#carousel) this.startCarousel() } },
      intervals.map(seconds => h('option', { value: String(seconds), selected: seconds === this.interval }, t('time.s', { s: seconds }))))
    this.grid = h('.wall-grid', { role: 'group', aria: { label: t('view.wall') }, test: 'wall', onkeydown: event => this.#key(event) })
    this.side = h('aside.wall-side', { aria: { label: t('devices.tree') } }, h('.side-head', null, h('h2', null, t('wall.channels')), iconButton('close', t('close'), () => this.#drawer(false), { test: 'drawer-close' })), this.tree.element)
    this.element = h('section.wall', null,
      h('.toolbar', null,
        button('plain.drawer-button', 'list', t('wall.channels'), () => this.#drawer(!this.element.classList.contains('drawer')), { test: 'drawer' }),
        h('.segments', { role: 'group', aria: { label: t('wall.layouts') } }, this.layoutButtons),
        h('.group', null, this.carouselButton, interval, this.carouselSource), h('span.grow'),
        iconButton('trash', t('wall.clear'), () => this.#clear(), { test: 'wall-clear' }),
        iconButton('expand', t('wall.fullscreen'), () => document.fullscreenElement ? document.exitFullscreen() : this.stage.requestFullscreen?.(), { test: 'wall-fullscreen' })),
      this.side,
      // Later: PTZ and talk go into .wall-controls, playback and alarms into .wall-timeline; empty they take no room.
      this.stage = h('.wall-stage', null, this.grid, h('.wall-controls'), h('.wall-timeline')))
    this.setLayout(this.layout)
  }

  get #carousel() { return !!this.#turn }

  open() {
    this.visible = true
    clearTimeout(this.away)
    this.#stops = [
      listenDevices(() => { this.tree.refresh(); for (const tile of this.tiles) tile.update(); this.#firstVisit() }),
      listenGroups(groups => {
        this.live = groups.filter(group => source(group)).map(group => group.stream_name)
        this.tree.streams = this.live.filter(name => !channelOf(name))
        this.tree.refresh()
        this.#firstVisit()
        this.#sourceText()
      }),
    ]
    for (const tile of this.tiles) tile.enter()
    this.#sourceText()
  }

  /** Pictures stop at once; cameras are let go after a minute, for those who only look something up. */
  close() {
    this.visible = false
    this.stopCarousel()
    for (const stop of this.#stops) stop()
    for (const tile of this.tiles) tile.leave(60000)
  }

  destroy() { this.close(); this.tree.close() }

  setLayout(count) {
    this.layout = count
    this.#shrink()
    while (this.tiles.length > count) {
      const tile = this.tiles.pop()
      tile.show(null)
      tile.element.remove()
    }
    while (this.tiles.length < count) {
      const tile = new Tile(this, this.tiles.length)
      this.tiles.push(tile)
      this.grid.append(tile.element)
      if (!this.#carousel) tile.entry = this.entries[tile.index]
      tile.update()
      if (this.visible) tile.enter()
    }
    this.grid.dataset.layout = count
    layouts.forEach((value, index) => { setClass(this.layoutButtons[index], 'on', value === count); setAttribute(this.layoutButtons[index], 'aria-pressed', String(value === count)) })
    if (!this.selected || this.selected.index >= count) this.select(this.tiles[0], false)
    if (this.#carousel) this.startCarousel()
    for (const tile of this.tiles) tile.retune()
    this.#save()
  }

  select(tile, focus = true) {
    if (this.selected !== tile) {
      this.selected?.element.classList.remove('selected')
      if (this.selected) { this.selected.element.tabIndex = -1; this.selected.stage.inert = true }
      this.selected = tile
      tile.element.classList.add('selected')
      tile.element.tabIndex = 0
      tile.stage.inert = false
    }
    if (focus) tile.element.focus()
  }

  /** A channel chosen in the tree goes to the selected tile; the next empty one is selected then. */
  place(entry) {
    const tile = this.selected ?? this.tiles[0]
    this.put(tile, entry)
    announce(t('wall.placed', { name: entry.name, n: tile.index + 1 }))
    const order = [...this.tiles.slice(tile.index + 1), ...this.tiles.slice(0, tile.index)]
    const next = order.find(other => !other.entry)
    if (next && !this.enlarged) this.select(next, false)
    this.#drawer(false)
  }

  put(tile, entry) {
    this.stopCarousel()
    this.fresh = false
    if (!entry && this.enlarged === tile) this.#shrink()
    this.entries[tile.index] = entry
    tile.show(entry)
    this.#save()
  }

  drop(tile, key) {
    if (key.startsWith('tile:')) {
      const other = this.tiles[Number(key.slice(5))]
      if (!other || other === tile) return
      const [mine, theirs] = [tile.entry, other.entry]
      this.put(other, null)
      this.put(tile, theirs)
      this.put(other, mine)
    } else {
      const entry = entryFor(key)
      if (entry) this.put(tile, entry)
    }
    this.select(tile, false)
  }

  enlarge(tile) {
    if (this.enlarged === tile) return this.#shrink()
    this.#shrink()
    this.enlarged = tile
    this.grid.classList.add('enlarged')
    tile.element.classList.add('big')
    tile.retune()
  }

  #shrink() {
    const tile = this.enlarged
    this.enlarged = null
    this.grid.classList.remove('enlarged')
    tile?.element.classList.remove('big')
    if (tile?.index < this.layout) tile.retune()
  }

  /** A tile that has the wall for itself shows the main stream. */
  isSmall(tile) { return this.layout > 1 && this.enlarged !== tile }

  #pool() {
    const keys = this.marked.size ? this.marked : new Set(this.live.map(name => channelOf(name) ?? 'stream:' + name))
    return [...keys].map(entryFor).filter(Boolean)
  }

  startCarousel() {
    clearInterval(this.#turn)
    if (!this.#pool().length) { this.#turn = 0; return toast('info', t('carousel.nothing'), t('carousel.how')) }
    this.#offset = 0
    const turn = () => {
      const pool = this.#pool()
      if (document.hidden || !pool.length) return
      if (this.#offset >= pool.length) this.#offset = 0
      this.tiles.forEach((tile, index) => tile.show(pool.length > this.layout ? pool[(this.#offset + index) % pool.length] : pool[index] ?? null))
      this.#offset += this.layout
      clearTimeout(this.#ahead)
      this.#ahead = setTimeout(() => {
        // The next cameras are asked early, so that their pictures come at once.
        const next = pool.length > this.layout ? this.tiles.map((_, index) => pool[((this.#offset >= pool.length ? 0 : this.#offset) + index) % pool.length]) : []
        for (const { kind, device, channel } of next) {
          if (kind !== 'channel') continue
          const number = preferred(channelKey(device, channel), this.layout > 1) ?? 0
          acquire(device, channel, number).catch(() => {})
          release(device, channel, number, 8000)
        }
      }, this.interval * 1000 - 3000)
    }
    this.#turn = setInterval(turn, this.interval * 1000)
    turn()
    this.#carouselState()
  }

  stopCarousel() {
    if (!this.#carousel) return
    clearInterval(this.#turn)
    clearTimeout(this.#ahead)
    this.#turn = 0
    if (this.visible) for (const tile of this.tiles) tile.show(this.entries[tile.index])
    this.#carouselState()
  }

  #carouselState() {
    setClass(this.carouselButton, 'on', this.#carousel)
    setClass(this.element, 'turning', this.#carousel)
    setAttribute(this.carouselButton, 'aria-pressed', String(this.#carousel))
    announce(t(this.#carousel ? 'carousel.started' : 'carousel.stopped'))
  }

  #sourceText() { setText(this.carouselSource, this.marked.size ? t('carousel.marked', { n: this.marked.size }) : t('carousel.live', { n: this.#pool().length })) }

  #mark(keys) {
    const all = keys.every(key => this.marked.has(key))
    for (const key of keys) all ? this.marked.delete(key) : this.marked.add(key)
    this.#save()
    this.#sourceText()
  }

  /** Who opens the console for the first time sees what is playing. */
  #firstVisit() {
    if (!this.fresh || !directory.loaded || !this.live.length) return
    this.#pool().slice(0, this.layout).forEach((entry, index) => this.put(this.tiles[index], entry))
  }

  #clear() { this.#shrink(); for (const tile of this.tiles) this.put(tile, null) }

  #drawer(open) {
    setClass(this.element, 'drawer', open)
    if (open) this.tree.search.focus()
  }

  #save() {
    if (this.fresh && !this.entries.some(Boolean)) return
    remembered.set('wall', { layout: this.layout, tiles: this.entries, interval: this.interval, marked: [...this.marked] })
  }

  #key(event) {
    if (!event.target.classList.contains('tile')) { if (event.key === 'Escape') this.#shrink(); return }
    const columns = Math.sqrt(this.layout), index = this.selected.index
    const next = { ArrowRight: index + 1, ArrowLeft: index - 1, ArrowDown: index + columns, ArrowUp: index - columns }[event.key]
    if (next !== undefined) { if (this.tiles[next] && !this.enlarged) this.select(this.tiles[next]) }
    else if (event.key === 'Enter') this.selected.entry ? this.enlarge(this.selected) : this.tree.list.element.focus()
    else if (event.key === 'Delete' || event.key === 'Backspace') this.put(this.selected, null)
    else if (event.key === 'Escape') this.#shrink()
    else return
    event.preventDefault()
  }
}

const entryOf = item => item.kind === 'stream' ? { kind: 'stream', name: item.name }
  : { kind: 'channel', device: item.device.device_id, channel: item.channel.channel_id, name: nameOf(item.channel) }

function entryFor(key) {
  if (key.startsWith('stream:')) return { kind: 'stream', name: key.slice(7) }
  const [device, channel] = key.split('/')
  if (!channel) return null
  return { kind: 'channel', device, channel, name: nameOf(directory.channels.get(key) ?? { channel_id: channel }) }
}

/** Entries come out of storage that anybody may have written. */
function checked(entry) {
  const text = value => typeof value === 'string' && value !== ''
  if (entry?.kind === 'stream' && text(entry.name)) return { kind: 'stream', name: entry.name }
  if (entry?.kind === 'channel' && text(entry.device) && text(entry.channel)) {
    return { kind: 'channel', device: entry.device, channel: entry.channel, name: text(entry.name) ? entry.name : entry.channel }
  }
  return null
}

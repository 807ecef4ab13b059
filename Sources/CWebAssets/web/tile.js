// One place of the wall: empty, or a channel or stream with its player, or the reason why there is no picture.
import { Player } from './player.js'
import { button, fill, h, icon, iconButton, lamp, setAttribute, setHidden, setLamp, setText } from './dom.js'
import { acquire, explain, forgive, lost, preferred, refuse, release } from './invitations.js'
import { channelKey, devices, directory, nameOf, playable, statusOf } from './store.js'
import { language, t } from './text.js'

const waits = [5, 10, 20, 40, 60]

export const keyOf = entry => entry.kind === 'stream' ? 'stream:' + entry.name : channelKey(entry.device, entry.channel)

/** One stream of the tile's channel, and its player once the camera has answered. */
class Picture {
  held = false
  closed = false
  played = false
  since = 0
  constructor(number) { this.number = number }
}

export class Tile {
  entry = null
  state = 'empty'
  /** What is on the screen, and what takes its place as soon as it has a picture. */
  #now = null
  #next = null
  #failures = 0
  #timer = 0
  #over = false

  constructor(wall, index) {
    this.wall = wall
    this.index = index
    this.lamp = lamp('off')
    this.name = h('span.tile-name')
    this.stage = h('.tile-stage')
    this.message = h('.tile-message')
    this.bar = h('.tile-bar', { draggable: true, ondragstart: event => event.dataTransfer.setData('text/plain', 'tile:' + index) },
      this.lamp, this.name,
      this.expand = iconButton('expand', t('tile.enlarge'), () => wall.enlarge(this), { tabIndex: -1, test: 'tile-enlarge' }),
      iconButton('close', t('tile.remove'), () => wall.put(this, null), { tabIndex: -1, test: 'tile-remove' }))
    this.element = h('.tile', {
      role: 'group', tabIndex: -1, test: 'tile',
      onpointerdown: () => wall.select(this, false), onfocus: () => wall.select(this, false),
      ondragover: event => { event.preventDefault(); this.element.classList.add('target') },
      ondragleave: () => this.element.classList.remove('target'),
      ondrop: event => { event.preventDefault(); this.element.classList.remove('target'); wall.drop(this, event.dataTransfer.getData('text/plain')) },
    }, this.stage, this.message, this.bar)
    // Before the player sees it: in the wall a double click enlarges.
    this.element.addEventListener('dblclick', event => {
      if (!this.entry || event.target.closest('button, input')) return
      event.stopPropagation()
      wall.enlarge(this)
    }, true)
    this.element.dataset.index = index
    // Only the selected tile's controls are stops of the Tab key; a mouse reaches all of them.
    this.stage.inert = true
    this.element.addEventListener('pointerenter', () => { this.stage.inert = false })
    this.element.addEventListener('pointerleave', () => { this.stage.inert = this.wall.selected !== this })
    this.#paint()
  }

  get key() { return this.entry && keyOf(this.entry) }

  get player() { return this.#now?.player }

  show(entry) {
    if (entry && this.entry && keyOf(entry) === this.key) return
    this.leave(1500)
    this.entry = entry
    this.#failures = 0
    if (entry) this.enter()
    else this.#paint()
  }

  enter() {
    if (!this.entry || this.#now) return
    clearTimeout(this.#timer)
    if (this.entry.kind === 'stream') return this.#play(this.#now = new Picture(0), this.entry.name)
    this.#become('inviting')
    // Which streams the channel has is in the list; `update` comes with it.
    if (directory.loaded) this.#invite(this.#now = new Picture(this.#wanted() ?? 0))
  }

  /** Closes the picture and gives the invitation back after `linger` ms. */
  leave(linger) {
    clearTimeout(this.#timer)
    this.#drop(this.#now, linger)
    this.#drop(this.#next, linger)
    this.#now = this.#next = null
    this.#over = false
    this.state = 'empty'
  }

  /** Changes to the stream that suits the tile's size; the old picture stays until the new one is there. */
  retune() {
    if (this.entry?.kind !== 'channel' || !this.#now || this.player?.isPaused || !directory.channels.has(this.key)) return
    const number = this.#wanted()
    if (number === undefined || number === (this.#next ?? this.#now).number) return
    this.#drop(this.#next, 0)
    this.#next = null
    if (this.#now.number !== number) this.#invite(this.#next = new Picture(number))
  }

  #wanted() { return preferred(this.key, this.wall.isSmall(this)) }

  #invite(picture) {
    const { device, channel } = this.entry
    picture.held = true
    acquire(device, channel, picture.number).then(
      stream => { if (!picture.closed) this.#play(picture, stream) },
      error => {
        if (picture.closed) return
        picture.held = false
        this.#miss(picture, 10, () => this.#fail(explain(error.code, error.desp), error.words))
      })
  }

  #play(picture, stream) {
    picture.since = performance.now()
    picture.layer = h('.tile-layer')
    // Behind what is shown.
    this.stage.prepend(picture.layer)
    picture.player = new Player(picture.layer, playable(stream), { muted: true, controls: true, zoom: true, language: language() })
    picture.player.addEventListener('state', event => { if (!picture.closed) this.#hear(picture, event.detail.state) })
    if (picture === this.#now) this.#become('waiting')
  }

  #hear(picture, state) {
    if (state === 'playing') picture.played = true
    if (picture === this.#next) {
      if (state === 'playing') this.#promote()
      else if (state === 'unsupported') this.#miss(picture, 60)
      return
    }
    if (this.#over && state !== 'paused') { this.leave(0); return this.enter() }
    if (state === 'playing') this.#failures = 0
    this.#become(state === 'playing' ? 'playing' : state === 'unsupported' || state === 'error' ? 'faulty' : 'waiting')
    if (state === 'unsupported') this.#miss(picture, 60)
  }

  #promote() {
    // That would end the full screen: `update` asks again.
    if (this.#now?.layer?.contains(document.fullscreenElement)) return
    const muted = this.player?.muted ?? true
    this.#drop(this.#now)
    this.#now = this.#next
    if (!muted) this.player.muted = false
    this.#next = null
    this.#failures = 0
    this.#over = false
    this.#become('playing')
  }

  /** No picture of this stream: for some minutes another one of the channel does. */
  #miss(picture, minutes, otherwise = () => {}) {
    const { entry } = this
    // Of a device that is away every stream fails.
    if (entry.kind === 'channel' && directory.byID.get(entry.device)?.status === 'online') refuse(this.key, picture.number, minutes)
    if (picture === this.#next) {
      this.#drop(picture, 0)
      this.#next = null
      return
    }
    const number = entry.kind === 'channel' ? this.#wanted() ?? picture.number : picture.number
    if (number !== picture.number && picture.player) return this.retune()
    if (!picture.player) this.#now = null
    if (number === picture.number) return otherwise()
    this.enter()
  }

  #drop(picture, linger) {
    if (!picture) return
    picture.closed = true
    picture.player?.close()
    picture.layer?.remove()
    if (picture.held) release(this.entry.device, this.entry.channel, picture.number, linger)
  }

  #become(state) { this.state = state; this.#paint() }

  #fail(reason, words) {
    const wait = waits[Math.min(this.#failures, waits.length - 1)]
    this.#failures += 1
    this.failure = { reason, words, at: Date.now() + wait * 1000 }
    this.#become('failed')
    const tick = () => {
      const left = Math.ceil((this.failure.at - Date.now()) / 1000)
      if (left <= 0) return document.hidden || !this.wall.visible ? void (this.#timer = setTimeout(tick, 1000)) : this.retry()
      setText(this.countdown, t('tile.next', { n: left }))
      this.#timer = setTimeout(tick, 1000)
    }
    tick()
  }

  retry() { this.state = 'empty'; this.enter() }

  #again() { forgive(this.key); this.retry() }

  /** What the device list says: names, and whether the stream that this tile invited is still there. */
  update() {
    if (!this.entry) return
    if (this.entry.kind === 'channel') {
      const channel = directory.channels.get(this.key)
      if (channel) this.entry.name = nameOf(channel)
      if (this.#isGone(this.#next, channel)) {
        const next = this.#next
        this.#forget(next)
        if (next.played) { this.#drop(next); this.#next = null } else this.#miss(next, 10)
      } else if (this.#next?.played) this.#promote()
      if (this.#isGone(this.#now, channel)) this.#lose(channel)
      else if (this.#now) this.retune()
      else if (this.wall.visible && (this.state === 'empty' || this.state === 'inviting')) this.enter()
    }
    this.#paint()
  }

  /** The session of what is shown has ended by itself. */
  #lose(channel) {
    const { played, number } = this.#now
    this.#forget(this.#now)
    // Who pauses for long finds the camera let go, and asks for it again by going on.
    if (this.player.isPaused) return void (this.#over = true)
    if (!played) refuse(this.key, number)
    const other = this.#wanted()
    this.leave(0)
    if (other !== undefined && other !== number) this.enter()
    else this.#fail(t('tile.ended'), channel.last_error ?? '')
  }

  /** Not by a list that is older than the invitation's answer. */
  #isGone(picture, channel) {
    return picture?.held && picture.player && channel && statusOf(channel, picture.number) === 'idle' && devices.askedAt > picture.since + 1000
  }

  #forget(picture) {
    lost(this.entry.device, this.entry.channel, picture.number)
    picture.held = false
  }

  #paint() {
    const { state, entry } = this
    if (this.element.dataset.state !== state) {
      this.element.dataset.state = state
      this.#fillMessage()
    }
    setHidden(this.bar, !entry)
    setText(this.name, entry?.name || '')
    setAttribute(this.name, 'title', entry?.name || '')
    setLamp(this.lamp, { playing: 'live', inviting: 'busy', waiting: 'busy', failed: 'bad', faulty: 'warn' }[state] ?? 'off')
    setAttribute(this.element, 'aria-label', t('tile.label', { n: this.index + 1, name: entry?.name || t('tile.empty'), state: entry ? t('tile.' + state) : '' }))
  }

  #fillMessage() {
    this.countdown = h('span.tile-countdown')
    if (this.state === 'empty') {
      fill(this.message, icon('plus'), h('p.tile-hint', null, t('tile.hint')))
    } else if (this.state === 'inviting') {
      fill(this.message, h('.spinner'), h('p', null, t('tile.inviting')))
    } else if (this.state === 'failed') {
      const { reason, words } = this.failure
      fill(this.message, icon('warning'), h('strong', { test: 'tile-error' }, reason || t('tile.failed')),
        words && words !== reason && h('p.words', null, words),
        h('.row', null, button('small', 'refresh', t('retry'), () => this.#again(), { test: 'tile-retry' }), h('a.button.small', { href: '#devices/' + this.key }, t('details')), this.countdown))
    } else this.message.replaceChildren()
    setHidden(this.message, !this.message.firstChild)
  }
}

// One place of the wall: empty, or a channel or stream with its player, or the reason why there is no picture.
import { Player } from './player.js'
import { button, fill, h, icon, iconButton, lamp, setAttribute, setHidden, setLamp, setText } from './dom.js'
import { acquire, explain, lost, release } from './invitations.js'
import { channelKey, devices, directory, nameOf, playable } from './store.js'
import { language, t } from './text.js'

const waits = [5, 10, 20, 40, 60]

export const keyOf = entry => entry.kind === 'stream' ? 'stream:' + entry.name : channelKey(entry.device, entry.channel)

export class Tile {
  entry = null
  state = 'empty'
  #run = 0
  #failures = 0
  #timer = 0
  #held = false
  #over = false
  #since = 0

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

  show(entry) {
    if (entry && this.entry && keyOf(entry) === this.key) return
    this.leave(1500)
    this.entry = entry
    this.#failures = 0
    if (entry) this.enter()
    else this.#paint()
  }

  enter() {
    if (!this.entry || this.player || this.state === 'inviting') return
    clearTimeout(this.#timer)
    const run = this.#run += 1
    if (this.entry.kind === 'stream') return this.#play(this.entry.name)
    this.#become('inviting')
    this.#held = true
    acquire(this.entry.device, this.entry.channel).then(
      stream => { if (run === this.#run) this.#play(stream) },
      error => { if (run === this.#run) { this.#held = false; this.#fail(explain(error.code, error.desp), error.words) } })
  }

  /** Closes the picture and gives the invitation back after `linger` ms. */
  leave(linger) {
    this.#run += 1
    clearTimeout(this.#timer)
    this.player?.close()
    this.player = null
    this.stage.replaceChildren()
    if (this.#held) release(this.entry.device, this.entry.channel, linger)
    this.#held = this.#over = false
    this.state = 'empty'
  }

  #play(stream) {
    this.stream = stream
    this.#since = performance.now()
    this.player = new Player(this.stage, playable(stream), { muted: true, controls: true, zoom: true, language: language() })
    this.player.addEventListener('state', event => {
      const { state } = event.detail
      if (this.#over && state !== 'paused') { this.leave(0); return this.enter() }
      if (state === 'playing') this.#failures = 0
      this.#become(state === 'playing' ? 'playing' : state === 'unsupported' || state === 'error' ? 'faulty' : 'waiting')
    })
    this.#become('waiting')
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

  /** What the device list says: names, and whether the stream that this tile invited is still there. */
  update() {
    if (!this.entry) return
    if (this.entry.kind === 'channel') {
      const channel = directory.channels.get(this.key)
      if (channel) this.entry.name = nameOf(channel)
      // Not by a list that is older than the invitation's answer.
      if (this.#held && this.player && channel?.status === 'idle' && devices.askedAt > this.#since + 1000) {
        lost(this.entry.device, this.entry.channel)
        this.#held = false
        // Who pauses for long finds the camera let go, and asks for it again by going on.
        if (this.player.statistics.state === 'paused') this.#over = true
        else {
          this.leave(0)
          this.#fail(t('tile.ended'), channel.last_error ?? '')
        }
      }
    }
    this.#paint()
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
        h('.row', null, button('small', 'refresh', t('retry'), () => this.retry(), { test: 'tile-retry' }), h('a.button.small', { href: '#devices/' + this.key }, t('details')), this.countdown))
    } else this.message.replaceChildren()
    setHidden(this.message, !this.message.firstChild)
  }
}

// One stream in a dialog, or alone on the page (#watch=NAME).
import { Player } from './player.js'
import { button, dialog, empty, h, icon, setClass, setText } from './dom.js'
import { acquire, explain, lost, release } from './invitations.js'
import { channelKey, devices, directory, listenDevices, nameOf, playable } from './store.js'
import { language, t } from './text.js'

function stage(name, onstate = () => {}) {
  const element = h('.watch-stage', { test: 'watch-stage' })
  const state = h('span.note', { test: 'watch-state', aria: { live: 'polite' } })
  const player = new Player(element, playable(name), { muted: true, controls: true, zoom: true, language: language() })
  player.addEventListener('state', event => {
    setText(state, t('tile.' + ({ playing: 'playing', unsupported: 'faulty', error: 'faulty' }[event.detail.state] ?? 'waiting')))
    onstate(event.detail.state)
  })
  let shown = false
  const statistics = button('plain', 'streams', t('statistics'), () => {
    shown = !shown
    player.showStatistics(shown)
    setClass(statistics, 'on', shown)
    statistics.setAttribute('aria-pressed', String(shown))
  }, { aria: { pressed: 'false' }, test: 'watch-statistics' })
  const link = h('a.button', { href: '#watch=' + encodeURIComponent(name), target: '_blank', rel: 'noopener' }, icon('expand'), h('span', null, t('watch.page')))
  return { element, player, link, bar: h('.row', null, state, h('span.grow'), statistics, link) }
}

export async function watch(name, title) {
  let shown
  await dialog(title, () => { shown = stage(name); return [shown.element, shown.bar] }, { wide: true, test: 'watch' })
  shown.player.close()
}

/** Invites the channel for as long as the dialog is open. */
export async function watchChannel(device, channel) {
  const { device_id } = device, { channel_id } = channel
  let shown, open = true, invited = false, over = false, paused = false, since = 0
  const body = h('div')
  const show = (...children) => { shown?.player.close(); shown = null; body.replaceChildren(...children) }
  const invite = () => {
    invited = true
    over = paused = false
    show(h('.watch-stage', null, h('.tile-message', null, h('.spinner'), h('p', null, t('tile.inviting')))))
    acquire(device_id, channel_id).then(stream => {
      if (!open) return
      since = performance.now()
      shown = stage(stream, state => {
        if (over && state !== 'paused') return invite()
        if (state === 'paused') paused = true
        else if (state === 'playing') paused = false
        else if (state === 'connecting') since = performance.now()
      })
      body.replaceChildren(shown.element, shown.bar)
    }, error => {
      invited = false
      if (open) show(empty('warning', explain(error.code, error.desp) || t('tile.failed'), error.words))
    })
  }
  const stop = listenDevices(() => {
    const known = directory.channels.get(channelKey(device_id, channel_id))
    if (!shown || !invited || known?.status !== 'idle' || devices.askedAt <= since + 1000) return
    lost(device_id, channel_id)
    invited = false
    // Who pauses for long finds the camera let go, and asks for it again by going on.
    if (shown.player.isPaused) over = true
    else if (paused) invite()
    else show(empty('warning', t('tile.ended'), known.last_error ?? ''))
  })
  await dialog(nameOf(channel), () => { invite(); return body }, { wide: true, test: 'watch' })
  open = false
  stop()
  shown?.player.close()
  if (invited) release(device_id, channel_id)
}

export class WatchPage {
  constructor(name) {
    this.name = name
    this.element = h('section.watch-page')
  }
  open() {
    const { element, player, bar, link } = stage(this.name)
    this.player = player
    link.remove()
    bar.prepend(h('a.button', { href: '#wall' }, icon('back'), h('span', null, t('view.wall'))), h('h2', null, this.name))
    this.element.replaceChildren(element, bar)
  }
  close() { this.player?.close() }
  destroy() { this.close() }
}

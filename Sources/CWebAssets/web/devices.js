// Devices and channels: the tree, and everything about the one that is chosen.
import { api } from './api.js'
import { button, copyable, empty, fill, h, icon, iconButton, lamp, setAttribute, setClass, setHidden, setLamp, setText, toast } from './dom.js'
import { ago, clock, count } from './format.js'
import { explain } from './invitations.js'
import { VirtualList } from './list.js'
import { recipe, showRecipe } from './recipe.js'
import { SIPMessages } from './sip.js'
import { activity, channelKey, devices, directory, listenDevices, nameOf } from './store.js'
import { t } from './text.js'
import { Tree, channelState } from './tree.js'
import { watchChannel } from './watch.js'

export class Devices {
  #stops = []

  constructor() {
    this.tree = new Tree({ onactivate: item => { location.hash = '#devices/' + item.key.split('/').map(encodeURIComponent).join('/') } })
    this.summary = h('span.note', { test: 'devices-summary' })
    this.detail = h('section.detail', { aria: { label: t('details') } })
    this.fact = new Map()
    this.#build()
    this.element = h('section.split', null,
      h('.toolbar', null, this.summary, h('span.grow'), button('plain', 'plus', t('recipe'), showRecipe, { test: 'recipe-open' })),
      h('aside.side', null, this.tree.element), this.detail)
    fill(this.detail, h('p.note', null, t('loading')))
  }

  open() {
    this.#stops = [listenDevices(() => this.update())]
    this.timer = setInterval(() => { if (!document.hidden && this.device) { this.#times(); if (directory.querying) this.sip.load() } }, 1000)
  }
  close() { clearInterval(this.timer); for (const stop of this.#stops) stop() }
  destroy() { this.close(); this.tree.close(); this.channels.close() }

  /** #devices/DEVICE/CHANNEL */
  route([device, channel]) {
    this.deviceID = device ?? null
    this.channelID = channel ?? null
    this.tree.select(channel ? channelKey(device, channel) : device ?? null)
    setClass(this.element, 'chosen', !!device)
    if (directory.loaded) this.update()
  }

  update() {
    this.tree.refresh()
    const online = directory.devices.reduce((sum, device) => sum + (device.status === 'online'), 0)
    setText(this.summary, t('devices.summary', { online: count(online), n: count(directory.devices.length), channels: count(directory.channels.size) }))
    const device = this.device = directory.byID.get(this.deviceID)
    if (!device) {
      const state = !directory.devices.length ? 'none' : this.deviceID ? 'unknown' : 'choose'
      setClass(this.element, 'blank', state === 'none')
      if (this.shown !== state) {
        this.shown = state
        fill(this.detail, state === 'none' ? h('.first', null, empty('devices', t('devices.none'), t('devices.none.text')), h('.card', null, recipe()))
          : empty('devices', t('devices.' + state), t('devices.' + state + '.text')))
      }
      return
    }
    setClass(this.element, 'blank', false)
    if (this.shown !== 'device') { this.shown = 'device'; fill(this.detail, this.head, this.channelCard, this.deviceCard, this.channelsCard, this.sip.element) }
    this.#paint(device)
    this.sip.show(device.device_id)
  }

  #build() {
    this.title = h('h2')
    this.lamp = lamp('off')
    this.state = h('span.badge')
    this.head = h('header.detail-head', null, iconButton('back', t('back'), () => { location.hash = '#devices' }, { test: 'detail-back' }), this.lamp, this.title, this.state)
    const fact = (name, ...more) => {
      const value = h('span')
      this.fact.set(name, value)
      return h('.fact', null, h('dt', null, t('fact.' + name)), h('dd', null, value, more))
    }
    this.catalogBar = h('progress', { max: 1, value: 0, aria: { label: t('catalog') } })
    this.catalogText = h('span', { test: 'catalog-state' })
    this.catalogButton = button('plain', 'refresh', t('catalog.refresh'), () => this.#catalog(), { test: 'catalog-refresh' })
    this.deviceCard = h('section.card', null,
      h('header.card-head', null, h('h3', null, t('device')), h('span.grow'), this.catalogButton),
      h('dl.facts', null, fact('id'), fact('manufacturer'), fact('model'), fact('firmware'), fact('transport'), fact('address'), fact('agent'),
        fact('registered', this.registeredAgo = h('small')), fact('keepalive', this.keepaliveAgo = h('small'))),
      h('.catalog', null, h('span.catalog-label', null, t('catalog')), this.catalogBar, this.catalogText))
    // Later: PTZ, playback and alarms of a channel are cards beside these facts.
    this.transport = h('select', { aria: { label: t('invite.transport') }, title: t('invite.transport'), test: 'invite-transport' },
      ['', '0', '1', '2'].map(value => h('option', { value }, t('invite.transport.' + (value || 'auto')))))
    this.channelError = h('.callout.bad', { test: 'channel-error' })
    this.channelTitle = h('h3')
    this.channelLamp = lamp('off')
    this.channelCard = h('section.card', null,
      h('header.card-head', null, this.channelLamp, this.channelTitle, h('span.grow'),
        button('primary', 'play', t('watch'), () => watchChannel(this.device, this.channel), { test: 'channel-watch' }),
        this.transport,
        button('plain', null, t('invite'), event => this.#invite(event.currentTarget), { test: 'channel-invite', title: t('invite.title') }),
        button('plain', null, t('bye'), event => this.#bye(event.currentTarget), { test: 'channel-bye', title: t('bye.title') })),
      this.channelError,
      h('dl.facts', null, fact('channel.id'), fact('channel.state'), fact('channel.stream'), fact('channel.manufacturer'), fact('channel.parent'), fact('channel.address'), fact('channel.ptz')))
    this.channels = new VirtualList({
      label: t('channels'), test: 'channels', keyOf: channel => channel.channel_id, rowHeight: [38, 48],
      make: channel => {
        const row = h('.channel-row', { role: 'option', test: 'channel-row' })
        row.append(row.lamp = lamp('off'), row.title_ = h('span.grow.clip'), row.number = h('code'), row.words = h('span.note.clip'),
          iconButton('play', t('watch'), () => watchChannel(this.device, directory.channels.get(channelKey(this.deviceID, channel.channel_id)) ?? channel), { tabIndex: -1 }))
        return row
      },
      update: (row, channel) => {
        const { state, label } = channelState(this.device, channel)
        setLamp(row.lamp, state, label)
        setText(row.title_, nameOf(channel))
        setText(row.number, channel.channel_id)
        setText(row.words, activity(channel) !== 'streaming' && channel.last_error ? explain(0, channel.last_error) || channel.last_error : label)
        setClass(row, 'faulty', activity(channel) !== 'streaming' && channel.last_error)
        setAttribute(row, 'aria-selected', String(channel.channel_id === this.channelID))
      },
      onactivate: channel => { location.hash = '#devices/' + encodeURIComponent(this.deviceID) + '/' + encodeURIComponent(channel.channel_id) },
    })
    this.fact.get('channel.parent').classList.add('id')
    this.channelsTitle = h('h3')
    this.channelsCard = h('section.card', null, h('header.card-head', null, this.channelsTitle), this.channels.element)
    this.sip = new SIPMessages()
  }

  #set(name, value) {
    const node = this.fact.get(name)
    setText(node, value || '–')
    setClass(node.parentNode.parentNode, 'missing', !value)
  }

  #paint(device) {
    const online = device.status === 'online'
    setText(this.title, nameOf(device))
    setAttribute(this.title, 'title', nameOf(device))
    setLamp(this.lamp, online ? 'good' : 'off', t('status.' + device.status))
    setText(this.state, t('status.' + device.status))
    this.state.dataset.state = online ? 'good' : 'off'
    if (this.shownID !== device.device_id) fill(this.fact.get('id'), copyable(this.shownID = device.device_id, t('fact.id'), 'device-id'))
    for (const [name, value] of [['manufacturer', device.manufacturer], ['model', device.model], ['firmware', device.firmware],
      ['transport', device.transport?.toUpperCase()], ['address', device.remote_addr], ['agent', device.user_agent]]) this.#set(name, value)
    this.#times()
    const catalog = device.catalog ?? { state: device.catalog_complete ? 'complete' : 'incomplete' }
    const known = catalog.total > 0
    if (known) this.catalogBar.value = catalog.received / catalog.total
    else this.catalogBar.removeAttribute('value')
    this.catalogBar.style.visibility = catalog.state === 'querying' || (known && catalog.state === 'incomplete') ? 'visible' : 'hidden'
    setText(this.catalogText, [t('catalog.' + catalog.state), known ? t('catalog.count', catalog) : '', catalog.error, catalog.time ? clock(catalog.time) : ''].filter(Boolean).join(' · '))
    this.catalogText.dataset.state = catalog.state
    this.catalogButton.disabled = !online || catalog.state === 'querying'
    const channel = this.channel = device.channels.find(one => one.channel_id === this.channelID)
    setHidden(this.channelCard, !channel)
    if (channel) this.#paintChannel(device, channel)
    setText(this.channelsTitle, t('channels') + ' (' + device.channels.length + ')')
    const height = Math.min(device.channels.length, 8) * this.channels.rowHeight + 'px'
    if (this.channels.element.style.height !== height) this.channels.element.style.height = height
    this.channels.show(device.channels)
    setHidden(this.channelsCard, !device.channels.length)
  }

  #paintChannel(device, channel) {
    const { state, label } = channelState(device, channel)
    setLamp(this.channelLamp, state, label)
    setText(this.channelTitle, nameOf(channel))
    if (this.shownChannel !== channel.channel_id) fill(this.fact.get('channel.id'), copyable(this.shownChannel = channel.channel_id, t('fact.channel.id'), 'channel-id'))
    const ptz = channel.ptz_type
    for (const [name, value] of [['channel.state', label], ['channel.stream', channel.stream_name], ['channel.manufacturer', channel.manufacturer],
      ['channel.parent', channel.parent_id], ['channel.address', channel.address], ['channel.ptz', ptz === undefined || ptz === '' ? '' : [0, 1, 2, 3, 4].includes(Number(ptz)) ? t('ptz.' + ptz) : ptz]]) this.#set(name, value)
    const error = channel.last_error ?? ''
    setHidden(this.channelError, !error)
    if (error && this.shownError !== channel.channel_id + error + channel.last_error_time) {
      this.shownError = channel.channel_id + error + channel.last_error_time
      const reason = explain(0, error)
      fill(this.channelError, icon('warning'), h('div', null, h('strong', null, reason || t('tile.failed')), h('p.words', null, error),
        h('p.note', null, t('invite.failed.at', { time: clock(channel.last_error_time) }), ' · ', t('invite.failed.see'))))
    }
    setClass(this.channelError, 'past', activity(channel) === 'streaming')
  }

  #times() {
    const { device } = this
    this.#set('registered', clock(device.register_time))
    this.#set('keepalive', clock(device.keepalive_time))
    setText(this.registeredAgo, ago(device.register_time))
    setText(this.keepaliveAgo, ago(device.keepalive_time))
  }

  async #catalog() {
    const { device } = this
    this.catalogButton.disabled = true
    try {
      await api.call('ctrl/gb28181_catalog', { body: { device_id: device.device_id } })
      directory.querying = true
    } catch (error) { if (error.kind !== 'unauthorized') toast('error', t('try.catalog', { name: nameOf(device) }), error.words) }
    devices.refresh()
  }

  async #invite(control) {
    const { device, channel } = this
    const body = { device_id: device.device_id, channel_id: channel.channel_id }
    if (this.transport.value) body.is_tcp_flag = Number(this.transport.value)
    control.disabled = true
    try {
      const { stream_name } = await api.call('ctrl/gb28181_invite', { body, timeout: 30000 })
      toast('good', t('invite.done', { name: nameOf(channel) }), stream_name)
    } catch (error) {
      if (error.kind !== 'unauthorized') toast('error', t('try.invite', { name: nameOf(channel) }), explain(error.code, error.desp), error.words)
    }
    control.disabled = false
    devices.refresh()
    this.sip.load()
  }

  async #bye(control) {
    const { device, channel } = this
    control.disabled = true
    try {
      await api.call('ctrl/gb28181_bye', { body: { device_id: device.device_id, channel_id: channel.channel_id } })
      toast('good', t('bye.done', { name: nameOf(channel) }))
    } catch (error) { if (error.kind !== 'unauthorized') toast('error', t('try.bye', { name: nameOf(channel) }), error.words) }
    control.disabled = false
    devices.refresh()
    this.sip.load()
  }
}

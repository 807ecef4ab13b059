// Every stream: what it carries, who sends it, who watches it, and its addresses.
import { api } from './api.js'
import { History, graph, sparkline } from './chart.js'
import { button, confirm, copyable, empty, fill, h, icon, iconButton, lamp, reconcile, setAttribute, setClass, setHidden, setLamp, setText, toast } from './dom.js'
import { age, bytes, count, duration, kbits, percent } from './format.js'
import { VirtualList } from './list.js'
import { channelOf, directory, groups, isSubStream, listenDevices, listenGroups, nameOf, source, streamURLs } from './store.js'
import { t } from './text.js'
import { watch } from './watch.js'

const most = 1000

export class Streams {
  #stops = []
  groups = []
  histories = new Map()

  constructor() {
    this.summary = h('span.note', { test: 'streams-summary' })
    this.search = h('input.search', { type: 'search', placeholder: t('streams.search'), aria: { label: t('streams.search') }, test: 'search', spellcheck: false, oninput: () => this.#list() })
    this.list = new VirtualList({
      label: t('view.streams'), test: 'streams', keyOf: group => group.stream_name, rowHeight: [46, 64],
      make: group => this.#row(group), update: (row, group) => this.#updateRow(row, group),
      onactivate: group => { location.hash = '#streams/' + encodeURIComponent(group.stream_name) },
    })
    this.none = h('.none', { hidden: true })
    this.detail = h('section.detail', { aria: { label: t('details') } })
    this.#build()
    const column = name => h('span.c-' + name, null, t('column.' + name))
    this.element = h('section.split.streams', null,
      h('.toolbar', null, h('label.search-box', null, icon('search'), this.search), this.summary),
      h('.side', null, h('.list-head', { aria: { hidden: true } }, h('span.c-lamp'), ['name', 'codec', 'fps', 'rate', 'graph', 'loss', 'viewers'].map(column)), this.none, this.list.element), this.detail)
    fill(this.detail, h('p.note', null, t('loading')))
  }

  open() { this.#stops = [listenGroups(list => this.#take(list)), listenDevices(() => {})] }
  close() { for (const stop of this.#stops) stop() }
  destroy() { this.close(); this.list.close() }

  route([name]) {
    this.name = name ?? null
    setClass(this.element, 'chosen', !!name)
    if (this.loaded) { this.list.setActive(this.name); this.#paint() }
  }

  #take(list) {
    this.loaded = true
    this.groups = list.sort((a, b) => a.stream_name < b.stream_name ? -1 : 1)
    const present = new Set()
    for (const group of list.length > most ? list.filter(one => one.stream_name === this.name) : list) {
      present.add(group.stream_name)
      let history = this.histories.get(group.stream_name)
      if (!history) this.histories.set(group.stream_name, history = { rate: new History(), out: new History(), fps: new History() })
      history.rate.add(source(group)?.read_bitrate_kbits ?? 0)
      history.out.add((group.subs ?? []).reduce((sum, sub) => sum + sub.write_bitrate_kbits, 0))
      history.fps.add(frames(group))
    }
    for (const name of this.histories.keys()) if (!present.has(name)) this.histories.delete(name)
    const live = list.filter(source)
    setText(this.summary, t('streams.summary', {
      n: count(live.length), viewers: count(list.reduce((sum, group) => sum + (group.subs?.length ?? 0), 0)),
      rate: kbits(live.reduce((sum, group) => sum + source(group).read_bitrate_kbits, 0)),
    }))
    this.#list()
    this.#paint()
  }

  #list() {
    const words = this.search.value.trim().toLowerCase()
    const shown = words ? this.groups.filter(group => (group.stream_name + ' ' + this.#title(group)).toLowerCase().includes(words)) : this.groups
    this.list.show(shown)
    const state = shown.length ? '' : this.groups.length ? 'nothing' : 'none'
    if (state !== this.noneShown) {
      this.noneShown = state
      fill(this.none, state === 'none' ? empty('streams', t('streams.none'), t('streams.none.text'), h('a.button', { href: '#devices' }, icon('devices'), h('span', null, t('view.devices')))) : state && h('p.note', null, t('search.nothing')))
      setHidden(this.none, !state)
    }
  }

  /** A camera's name says more than its stream's. */
  #title(group) {
    const known = directory.channels.get(channelOf(group.stream_name))
    if (!known) return group.stream_name
    return nameOf(known) + (isSubStream(known, group.stream_name) ? ' · ' + t('stream.sub') : '')
  }

  #device(group) {
    const device = directory.byID.get(channelOf(group.stream_name)?.split('/')[0])
    return device && nameOf(device)
  }

  #row(group) {
    const row = h('.stream-row', { role: 'option', test: 'stream-row' })
    row.dataset.key = group.stream_name
    const cell = name => row['$' + name] = h('span.c-' + name)
    row.append(h('span.c-lamp', null, row.lamp = lamp('off')), cell('name'), cell('codec'), cell('fps'), cell('rate'), h('span.c-graph', null, row.graph = sparkline()), cell('loss'), cell('viewers'))
    row.$name.append(row.title_ = h('b'), row.sub = h('small'))
    return row
  }

  #updateRow(row, group) {
    const from = source(group), title = this.#title(group)
    setLamp(row.lamp, from ? 'live' : 'off', t(from ? 'stream.live' : 'stream.waiting'))
    setText(row.title_, title)
    setText(row.sub, this.#device(group) || (from ? from.protocol + ' · ' + from.remote_addr : t('stream.waiting')))
    setAttribute(row.$name, 'title', group.stream_name)
    setText(row.$codec, codecs(group))
    setText(row.$fps, from && group.video_codec ? frames(group) + ' fps' : '')
    setText(row.$rate, from ? kbits(from.read_bitrate_kbits) : '')
    setText(row.$loss, from?.rtp ? percent(loss(from.rtp)) : '')
    setClass(row.$loss, 'warn', from?.rtp && loss(from.rtp) >= 0.1)
    setText(row.$viewers, count(group.subs?.length ?? 0))
    const history = this.histories.get(group.stream_name)
    if (history) row.graph.show(history.rate)
    setClass(row, 'selected', group.stream_name === this.name)
    setAttribute(row, 'aria-selected', String(group.stream_name === this.name))
  }

  #build() {
    this.title = h('h2')
    this.lamp = lamp('off')
    this.watchButton = button('primary', 'play', t('watch'), () => watch(this.name, this.title.textContent), { test: 'stream-watch' })
    this.head = h('header.detail-head', null, iconButton('back', t('back'), () => { location.hash = '#streams' }, { test: 'detail-back' }), this.lamp, this.title, h('span.grow'), this.watchButton)
    this.facts = h('dl.facts.tiles')
    this.graphs = h('.graphs')
    this.publisher = h('.sessions')
    this.viewers = h('.sessions')
    this.viewersTitle = h('h3')
    this.protocols = h('.row.chips')
    this.relays = h('.sessions')
    this.relayCard = h('section.card', null, h('header.card-head', null, h('h3', null, t('relays'))), this.relays)
    this.urls = h('.urls')
  }

  #paint() {
    const group = this.groups.find(one => one.stream_name === this.name)
    const state = group ? 'stream' : this.name ? 'unknown' : this.groups.length ? 'choose' : 'none'
    if (!group) {
      setClass(this.element, 'blank', state === 'none' || state === 'choose')
      if (this.shown !== state) fill(this.detail, state === 'none' ? null : empty('streams', t('streams.' + state), t('streams.' + state + '.text'), state === 'unknown' && h('a.button', { href: '#streams' }, t('view.streams'))))
      this.shown = state
      return
    }
    setClass(this.element, 'blank', false)
    if (this.shown !== 'stream:' + this.name) {
      this.shown = 'stream:' + this.name
      const history = this.histories.get(this.name)
      const span = t('graph.span', { m: 5 })
      this.rateGraph = history && graph(t('graph.rate'), [{ label: t('in'), history: history.rate }, { label: t('out'), history: history.out }], kbits, { span })
      this.fpsGraph = history && graph(t('graph.fps'), [{ history: history.fps }], value => String(Math.round(value)), { span, top: 30 })
      fill(this.graphs, this.rateGraph, this.fpsGraph)
      fill(this.urls, streamURLs(this.name).map(({ protocol, url }) => h('.url', null, h('span.url-protocol', null, protocol), copyable(url, protocol, 'url-' + protocol))))
      fill(this.detail, this.head, this.facts, this.graphs,
        h('section.card', null, h('header.card-head', null, h('h3', null, t('publisher'))), this.publisher),
        h('section.card', null, h('header.card-head', null, this.viewersTitle, this.protocols), this.viewers), this.relayCard,
        h('section.card', null, h('header.card-head', null, h('h3', null, t('urls'))), this.urls))
    }
    const from = source(group), viewers = group.subs ?? []
    setText(this.title, this.#title(group))
    setAttribute(this.title, 'title', group.stream_name)
    setLamp(this.lamp, from ? 'live' : 'off', t(from ? 'stream.live' : 'stream.waiting'))
    const facts = [
      ['video', group.video_codec ? codecName(group.video_codec) + size(group) : ''], ['audio', codecName(group.audio_codec)],
      ['fps', group.video_codec ? String(frames(group)) : ''], ['rate', from ? kbits(from.read_bitrate_kbits) : ''],
      ['since', from ? duration(age(from.start_time) ?? 0) : ''],
    ]
    if (from?.rtp) facts.push(['loss', `${percent(loss(from.rtp))} (${count(from.rtp.lost)})`], ['jitter', from.rtp.jitter_ms.toFixed(1) + ' ms'], ['reordered', count(from.rtp.reordered)])
    if (from?.rtp?.kernel_drops) facts.push(['kernel', count(from.rtp.kernel_drops)])
    reconcile(this.facts, facts, ([name]) => name, ([name]) => h('.fact', null, h('dt', null, t('stream.' + name)), h('dd')), (node, [, value]) => setText(node.lastChild, value || '–'))
    this.rateGraph?.show()
    this.fpsGraph?.show()
    this.#sessions(this.publisher, from ? [from] : [], true)
    if (!from) this.#sessions(this.publisher, [])
    setText(this.viewersTitle, t('viewers') + ' (' + viewers.length + ')')
    const per = new Map()
    for (const viewer of viewers) per.set(viewer.protocol, (per.get(viewer.protocol) ?? 0) + 1)
    reconcile(this.protocols, [...per], ([name]) => name, () => h('span.badge'), (node, [name, n]) => setText(node, name + ' ' + n))
    this.#sessions(this.viewers, viewers.slice(0, 200))
    setHidden(this.relayCard, !group.relays?.length)
    reconcile(this.relays, group.relays ?? [], relay => relay.session_id, () => h('.session'), relayRow)
  }

  #sessions(parent, sessions, publishes = false) {
    setClass(parent, 'is-empty', !sessions.length)
    parent.dataset.empty = t(parent === this.publisher ? 'stream.waiting' : 'viewers.none')
    reconcile(parent, sessions, session => session.session_id, session => {
      const row = h('.session', { test: publishes ? 'publisher' : 'viewer' })
      row.append(h('span.badge', null, session.protocol), row.who = h('span.grow.clip'), row.rate = h('span.number'), row.sum = h('span.number.note'), row.since = h('span.number.note'),
        button('small.danger-text', null, t('kick'), () => this.#kick(session, publishes), { test: publishes ? 'kick-publisher' : 'kick-viewer', aria: { label: t('kick') + ' ' + session.session_id } }))
      return row
    }, (row, session) => {
      setText(row.who, session.remote_addr)
      setAttribute(row.who, 'title', session.session_id)
      setText(row.rate, kbits(publishes ? session.read_bitrate_kbits : session.write_bitrate_kbits))
      setText(row.sum, bytes(publishes ? session.read_bytes_sum : session.wrote_bytes_sum) + (session.dropped_frames ? ' · ' + t('dropped', { n: count(session.dropped_frames) }) : ''))
      setText(row.since, duration(age(session.start_time) ?? 0))
    })
  }

  async #kick(session, publishes) {
    const name = this.name, who = session.protocol + ' ' + session.remote_addr
    if (!await confirm(t(publishes ? 'kick.publisher' : 'kick.viewer'), t(publishes ? 'kick.publisher.text' : 'kick.viewer.text', { who, name }), t('kick'))) return
    try {
      await api.call('ctrl/kick_session', { body: { stream_name: name, session_id: session.session_id } })
      toast('good', t('kick.done', { who }))
    } catch (error) { if (error.kind !== 'unauthorized') toast('error', t('try.kick', { who }), error.words) }
    groups.refresh()
  }
}

export function relayRow(row, relay) {
  if (!row.firstChild) row.append(row.lamp = lamp('off'), row.kind = h('span.badge'), row.who = h('span.grow.clip'), row.words = h('span.note.clip'))
  setLamp(row.lamp, { running: 'good', connecting: 'busy', waiting: 'warn', ended: 'off' }[relay.state] ?? 'off', t('relay.' + relay.state))
  setText(row.kind, t('relay.' + relay.direction) + ' ' + relay.protocol)
  setText(row.who, relay.stream_name + ' ' + (relay.direction === 'pull' ? '← ' : '→ ') + relay.url)
  setAttribute(row.who, 'title', relay.url)
  setText(row.words, t('relay.' + relay.state) + (relay.last_error && relay.state !== 'running' ? ' · ' + relay.last_error : ''))
  setAttribute(row.words, 'title', relay.last_error || null)
}

const frames = group => group.in_frame_per_sec?.[0]?.v ?? 0
const size = group => group.video_width ? ` ${group.video_width}×${group.video_height}` : ''
const codecName = name => ({ H264: 'H.264', H265: 'H.265', PCMA: 'G.711A', PCMU: 'G.711U' })[name] ?? name
const codecs = group => [group.video_codec && codecName(group.video_codec) + size(group), codecName(group.audio_codec)].filter(Boolean).join(' · ')
const loss = rtp => rtp.packets + rtp.lost ? 100 * rtp.lost / (rtp.packets + rtp.lost) : 0

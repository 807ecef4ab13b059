// The server itself: load, memory, traffic, limits, log level, relays and recordings.
import { Poll, api } from './api.js'
import { History, graph } from './chart.js'
import { copyable, h, lamp, reconcile, setAttribute, setClass, setLamp, setText, toast } from './dom.js'
import { bytes, clock, count, duration, kbits, percent } from './format.js'
import { server, takeServer } from './store.js'
import { relayRow } from './streams.js'
import { t } from './text.js'

const levels = ['trace', 'debug', 'info', 'notice', 'warning', 'error']
const relays = new Poll('stat/relays', 5000)
const records = new Poll('stat/records', 5000)
const histories = { cpu: new History(), memory: new History(), read: new History(), write: new History() }

export class Server {
  #stops = []
  constructor() {
    this.facts = h('dl.facts.tiles', { test: 'server-facts' })
    const span = t('graph.span', { m: 5 })
    this.graphs = [
      graph(t('server.cpu'), [{ history: histories.cpu }], percent, { span, top: 100 }),
      graph(t('server.memory'), [{ history: histories.memory }], bytes, { span, unit: 1048576 }),
      graph(t('server.traffic'), [{ label: t('in'), history: histories.read }, { label: t('out'), history: histories.write }], kbits, { span }),
    ]
    this.level = h('select', { id: 'log-level', test: 'log-level', disabled: true, onchange: () => this.#setLevel() }, levels.map(value => h('option', { value }, t('level.' + value))))
    this.limits = h('.limits', { test: 'limits' })
    this.sip = h('dl.facts')
    this.relays = h('.sessions')
    this.records = h('.sessions')
    this.relays.dataset.empty = t('relays.none')
    this.records.dataset.empty = t('records.none')
    const card = (title, ...children) => h('section.card', null, h('header.card-head', null, h('h3', null, title)), children)
    this.element = h('section.server', null, h('.server-grid', null, this.facts,
      h('.graphs', null, this.graphs),
      card(t('limits'), this.limits),
      h('.stack', null, card(t('log'), h('.log', null, h('label', { for: 'log-level' }, t('log.level')), this.level, h('p.note', null, t('log.note')))), card('GB/T 28181', this.sip)),
      card(t('relays'), this.relays), card(t('records'), this.records)))
  }

  open() {
    this.#stops = [
      server.listen(data => this.#paint(data)),
      relays.listen(({ relays }) => this.#rows(this.relays, relays ?? [], relay => relay.session_id, relayRow)),
      records.listen(({ records }) => this.#rows(this.records, records ?? [], record => record.record_id, recordRow)),
    ]
  }
  close() { for (const stop of this.#stops) stop() }
  destroy() { this.close() }

  #rows(parent, items, keyOf, update) {
    setClass(parent, 'is-empty', !items.length)
    reconcile(parent, items, keyOf, () => h('.session'), update)
  }

  #paint(data) {
    if (data !== this.data) {
      this.data = data
      takeServer(data)
      histories.cpu.add(data.cpu_percent)
      histories.memory.add(data.memory_bytes)
      histories.read.add(data.read_kbits)
      histories.write.add(data.write_kbits)
    }
    const facts = [
      ['version', data.version], ['uptime', duration(data.uptime_sec)], ['started', clock(data.start_time)], ['pid', data.pid],
      ['load', (data.load ?? []).map(value => value.toFixed(2)).join('  ')], ['cores', data.cpu_count],
      ['memory', bytes(data.memory_bytes) + ' / ' + bytes(data.memory_total_bytes)],
      ['devices', count(data.devices_online) + ' / ' + count(data.devices)], ['channels', count(data.channels_streaming) + ' / ' + count(data.channels)],
      ['streams', count(data.streams)], ['publishers', count(data.publishers)], ['viewers', count(data.viewers)],
    ]
    reconcile(this.facts, facts, ([name]) => name, ([name]) => h('.fact', null, h('dt', null, t('server.' + name)), h('dd')), (node, [, value]) => setText(node.lastChild, value ?? '–'))
    for (const one of this.graphs) one.show()
    reconcile(this.limits, data.limits ?? [], limit => limit.name, limit => {
      const row = h('.limit', null, h('span.limit-name', { title: limit.name }, limitName(limit.name)), h('span.number'), h('.bar', { role: 'meter', aria: { label: limitName(limit.name), valuemin: 0 } }, h('i')))
      return row
    }, (row, { used, limit }) => {
      const share = limit > 0 ? Math.min(1, used / limit) : 0
      setText(row.children[1], limit > 0 ? count(used) + ' / ' + count(limit) : count(used) + ' / ' + t('limit.none'))
      row.lastChild.firstChild.style.width = share * 100 + '%'
      row.lastChild.dataset.state = share >= 0.95 ? 'bad' : share >= 0.8 ? 'warn' : 'good'
      setAttribute(row.lastChild, 'aria-valuemax', limit)
      setAttribute(row.lastChild, 'aria-valuenow', used)
    })
    if (!this.setting && document.activeElement !== this.level && data.log_level) this.level.value = data.log_level
    this.level.disabled = !!this.setting || !data.log_level
    const settings = data.gb28181
    const sip = !settings?.enabled ? [['enabled', t('off')]] : [
      ['id', settings.sip_id], ['domain', settings.sip_domain], ['address', settings.sip_ip || t('sip.any')], ['port', String(settings.sip_port)],
      ['transports', (settings.transports ?? []).join(', ').toUpperCase()], ['auth', t(settings.password_required ? 'sip.password' : 'sip.password.none')],
    ]
    reconcile(this.sip, sip, ([name, value]) => name + value, ([name, value]) => h('.fact', null, h('dt', null, t('sip.' + name)), h('dd', null, /^(id|domain|port)$/.test(name) ? copyable(value, t('sip.' + name)) : value)))
  }

  async #setLevel() {
    const level = this.level.value
    this.setting = true
    try {
      const { log_level } = await api.call('ctrl/log_level', { body: { level } })
      toast('good', t('log.done', { level: t('level.' + (log_level ?? level)) }))
    } catch (error) {
      if (this.data) this.level.value = this.data.log_level
      if (error.kind !== 'unauthorized') toast('error', t('try.log', { level: t('level.' + level) }), error.words)
    }
    this.setting = false
    server.refresh()
  }
}

const limitNames = { 'limits.max_devices': 'view.devices', 'limits.max_streams': 'view.streams', 'limits.max_viewers': 'viewers', 'record.max_recordings': 'records', 'hls.memory_total_max_mb': 'limit.hls' }
const limitName = name => limitNames[name] ? t(limitNames[name]) : name

function recordRow(row, record) {
  if (!row.firstChild) row.append(row.lamp = lamp('off'), row.kind = h('span.badge'), row.who = h('span.grow.clip'), row.words = h('span.note.clip'))
  setLamp(row.lamp, { recording: 'good', waiting: 'warn', fault: 'bad' }[record.state] ?? 'off', t('record.' + record.state))
  setText(row.kind, record.format)
  setText(row.who, record.stream_name)
  setAttribute(row.who, 'title', record.file)
  setText(row.words, [t('record.' + record.state), bytes(record.wrote_bytes), record.fault, record.dropped_frames ? t('dropped', { n: count(record.dropped_frames) }) : ''].filter(Boolean).join(' · '))
}

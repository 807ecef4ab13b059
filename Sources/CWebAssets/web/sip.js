// The last SIP messages of a device, one line each, the whole text on demand.
import { api } from './api.js'
import { button, copy, empty, fill, h, icon, setText, toast } from './dom.js'
import { clock } from './format.js'
import { t } from './text.js'

/** First line, method and command of a message, for a list that can be read at a glance. */
export function summary(text) {
  const first = text.split('\r\n', 1)[0]
  const header = name => new RegExp('^' + name + ':\\s*(.+)$', 'im').exec(text)?.[1].trim() ?? ''
  const status = Number(/^SIP\/2\.0 (\d{3})/.exec(first)?.[1] ?? 0)
  const method = header('CSeq').split(' ')[1] ?? ''
  const command = /<CmdType>\s*([^<]{1,40})</.exec(text)?.[1].trim() ?? ''
  const title = status ? first.slice(8) : first.split(' ')[0]
  return { title, about: [status ? method : '', command].filter(Boolean).join(' · '), failed: status >= 400 && status !== 401 }
}

export class SIPMessages {
  #device = null
  #newest = ''
  constructor() {
    this.list = h('.sip-list', { test: 'sip-messages' })
    this.element = h('section.card', null,
      h('header.card-head', null, h('h3', null, t('sip')), h('span.note', null, t('sip.note')), h('span.grow'), button('small', 'refresh', t('refresh'), () => this.load(true), { test: 'sip-refresh' })),
      this.list)
  }

  show(device) {
    if (device === this.#device) return
    this.#device = device
    this.#newest = ''
    fill(this.list, h('p.note', null, t('loading')))
    this.load()
  }

  async load(asked = false) {
    const device = this.#device
    if (!device) return
    try {
      const { messages } = await api.call('stat/gb28181_messages', { query: { device_id: device } })
      if (device !== this.#device) return
      const newest = messages.length + (messages.at(-1)?.time ?? '')
      if (newest === this.#newest) return
      this.#newest = newest
      const open = new Set([...this.list.querySelectorAll('details[open]')].map(node => node.dataset.key))
      fill(this.list, messages.length ? [...messages].reverse().map(message => this.#row(message, open)) : empty('message', t('sip.none')))
    } catch (error) {
      if (device !== this.#device || error.kind === 'unauthorized') return
      if (asked) toast('error', t('try.sip'), error.words)
      else fill(this.list, h('p.note', null, error.words))
    }
  }

  #row(message, open) {
    const sent = message.direction === 'sent', { title, about, failed } = summary(message.text)
    const key = message.time + message.direction + title
    return h('details.sip' + (failed ? '.failed' : ''), { data: { key }, open: open.has(key) },
      h('summary', null, h('span.sip-direction.' + (sent ? 'sent' : 'received'), { title: t(sent ? 'sip.sent' : 'sip.received') }, icon(sent ? 'up' : 'down')),
        h('time', null, clock(message.time).slice(11)), h('b', null, title), h('span.note', null, about), h('span.grow'), h('span.note', null, message.transport.toUpperCase())),
      h('p.note', null, t(sent ? 'sip.sent.to' : 'sip.received.from', { address: message.remote_addr }), ' · ', message.time),
      h('pre', { tabIndex: 0 }, message.text.trimEnd()),
      button('small', 'copy', t('copy'), async event => setText(event.currentTarget.lastChild, t(await copy(message.text) ? 'copied' : 'copy.failed'))))
  }
}

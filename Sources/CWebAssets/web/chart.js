// History graphs, collected while polling, drawn as inline SVG.
import { h, setAttribute, setText } from './dom.js'

const svg = (name, attributes) => {
  const node = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const key in attributes) node.setAttribute(key, attributes[key])
  return node
}

/** The newest values of one quantity, the oldest first. */
export class History {
  values = []
  constructor(limit = 150) { this.limit = limit }
  add(value) {
    this.values.push(Number.isFinite(value) ? value : 0)
    if (this.values.length > this.limit) this.values.shift()
  }
}

/** The path of values over a width of `limit` points that ends at the right edge. */
function path(values, limit, width, height, top) {
  const step = width / (limit - 1), start = width - (values.length - 1) * step
  return values.map((value, index) => (index ? 'L' : 'M') + (start + index * step).toFixed(1) + ' ' + (height - 1 - (height - 2) * Math.min(1, value / top)).toFixed(1)).join('')
}

export function sparkline(limit = 60) {
  const line = svg('path', { class: 'line' })
  const node = svg('svg', { viewBox: '0 0 100 24', preserveAspectRatio: 'none', class: 'sparkline', 'aria-hidden': 'true' })
  node.append(line)
  node.show = history => {
    const values = history.values.slice(-limit)
    setAttribute(line, 'd', path(values, limit, 100, 24, Math.max(1, ...values) * 1.1))
  }
  return node
}

/** A graph with a heading, its present value, and a scale of round numbers. */
export function graph(title, series, format, { limit = 150, top = 0, span = '', unit = 1 } = {}) {
  const width = 300, height = 80
  const chart = svg('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' })
  for (const y of [0.25, 0.5, 0.75]) chart.append(svg('path', { class: 'rule', d: `M0 ${height * y}H${width}` }))
  const drawn = series.map((one, index) => {
    const area = svg('path', { class: 'area series-' + index }), line = svg('path', { class: 'line series-' + index })
    chart.append(area, line)
    return { ...one, area, line, value: h('b') }
  })
  const scale = h('span.graph-scale')
  const node = h('figure.graph', { role: 'group', aria: { label: title } },
    h('figcaption', null, h('span.graph-title', null, title),
      drawn.map(one => h('span.graph-value', null, series.length > 1 && h('i.key.series-' + drawn.indexOf(one)), one.label && h('span', null, one.label), one.value))),
    h('.graph-area', null, chart, scale, h('span.graph-span', null, span)))
  node.show = () => {
    const highest = Math.max(top || 1, ...drawn.flatMap(one => one.history.values))
    const limitValue = top && highest <= top ? top : round(highest / unit) * unit
    setText(scale, format(limitValue))
    for (const one of drawn) {
      const values = one.history.values
      setText(one.value, values.length ? format(values.at(-1)) : '–')
      const d = path(values, limit, width, height, limitValue)
      setAttribute(one.line, 'd', d)
      setAttribute(one.area, 'd', d && d + `V${height}H${(width - (values.length - 1) * width / (limit - 1)).toFixed(1)}Z`)
    }
  }
  return node
}

/** The next of 1, 2, 5, 10, 20 … */
function round(value) {
  const magnitude = 10 ** Math.floor(Math.log10(Math.max(1, value)))
  return [1, 2, 5, 10].map(step => step * magnitude).find(candidate => candidate >= value)
}

// Numbers and times for the eye.
import { language, t } from './text.js'

export const kbits = value => value >= 1000 ? (value / 1000).toFixed(value >= 100000 ? 0 : 1) + ' Mbit/s' : Math.round(value) + ' kbit/s'

export function bytes(value) {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let unit = 0
  while (value >= 1024 && unit < 4) { value /= 1024; unit += 1 }
  return (unit && value < 100 ? value.toFixed(1) : Math.round(value)) + ' ' + units[unit]
}

export const count = value => Number(value ?? 0).toLocaleString(language() === 'zh' ? 'zh-CN' : 'en-US')
export const percent = value => value.toFixed(value < 10 ? 1 : 0) + '%'

export function duration(seconds) {
  seconds = Math.max(0, Math.floor(seconds))
  const d = Math.floor(seconds / 86400), hours = Math.floor(seconds / 3600) % 24, m = Math.floor(seconds / 60) % 60
  if (d) return t('time.dh', { d, h: hours })
  if (hours) return t('time.hm', { h: hours, m })
  if (m) return t('time.ms', { m, s: seconds % 60 })
  return t('time.s', { s: seconds })
}

/** Difference between the server's clock and this machine's, and its zone, as stat/server tells them. */
export const serverClock = {
  skew: 0,
  offset: null,
  take(startTime, uptimeSec) {
    const started = parseTime(startTime)
    if (started === null) return
    this.offset = offsetOf(startTime)
    if (Number.isFinite(uptimeSec)) this.skew = started + uptimeSec * 1000 - Date.now()
  },
}

function offsetOf(text) {
  const match = /([+-])(\d\d)(\d\d)\b|\bZ\b/.exec(String(text).slice(19))
  if (!match) return null
  return match[1] ? (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3])) : 0
}

/** "2026-11-21 02:33:04.279 +0800 CST", or the same without a zone: then it is the server's. */
export function parseTime(text) {
  const match = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(\.\d+)?/.exec(text ?? '')
  if (!match) return null
  const [, y, mo, d, hh, mi, s, fraction] = match
  const utc = Date.UTC(y, mo - 1, d, hh, mi, s) + Number(fraction ?? 0) * 1000
  const offset = offsetOf(text) ?? serverClock.offset ?? -new Date(utc).getTimezoneOffset()
  return utc - offset * 60000
}

/** Seconds since a moment of the server. */
export function age(text) {
  const at = parseTime(text)
  return at === null ? null : Math.max(0, (Date.now() + serverClock.skew - at) / 1000)
}

export const clock = text => String(text ?? '').slice(0, 19)

export function ago(text) {
  const seconds = age(text)
  return seconds === null ? '' : seconds < 2 ? t('time.now') : t('time.ago', { time: duration(seconds) })
}

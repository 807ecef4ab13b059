// Invitations that this page holds. Each invite of a channel is taken back by one bye, however many tiles show it.
import { api } from './api.js'
import { channelKey, directory } from './store.js'
import { t } from './text.js'

const held = new Map()
// A page that crashes takes nothing back: the server does, when nobody has watched for so long.
const idle = 60000

// A browser has six connections to a server: cameras that do not answer shall leave one for the page's questions.
const atOnce = 5
const queue = []
let asking = 0
async function inTurn(ask) {
  if (asking < atOnce) asking += 1
  else await new Promise(resolve => queue.push(resolve))
  try { return await ask() } finally {
    if (queue.length) queue.shift()()
    else asking -= 1
  }
}

const keyOf = (device, channel, number) => channelKey(device, channel) + '/' + number

/** Resolves to the stream's name. Stream 0 is the main one, 1 the sub stream. Ends with `release`. */
export function acquire(device, channel, number = 0) {
  const key = keyOf(device, channel, number)
  let entry = held.get(key)
  if (entry) clearTimeout(entry.timer)
  else {
    entry = { device, channel, number, users: 0 }
    entry.stream = inTurn(() => api.call('ctrl/gb28181_invite', { body: { device_id: device, channel_id: channel, stream_number: number, auto_bye_after_no_out_ms: idle }, timeout: 30000 }))
      .then(data => data.stream_name)
    entry.stream.catch(() => { if (held.get(key) === entry) held.delete(key) })
    held.set(key, entry)
  }
  entry.users += 1
  return entry.stream
}

/** The bye waits a moment: a channel that moves to another tile need not be asked again. */
export function release(device, channel, number = 0, linger = 1500) {
  const key = keyOf(device, channel, number), entry = held.get(key)
  if (!entry || (entry.users -= 1) > 0) return
  entry.timer = setTimeout(async () => {
    if (held.get(key) === entry) held.delete(key)
    try { await entry.stream } catch { return }
    bye(entry)
  }, linger)
}

/** The stream has ended by itself: there is nothing to take back. */
export function lost(device, channel, number = 0) {
  const key = keyOf(device, channel, number), entry = held.get(key)
  if (!entry) return
  clearTimeout(entry.timer)
  held.delete(key)
}

// A refusal says that the session is gone already.
const bye = (entry, keepalive = false) =>
  api.call('ctrl/gb28181_bye', { body: { device_id: entry.device, channel_id: entry.channel, stream_number: entry.number }, keepalive }).catch(() => {})

export function releaseAll() {
  for (const entry of held.values()) { clearTimeout(entry.timer); bye(entry, true) }
  held.clear()
}
addEventListener('pagehide', releaseAll)
// A page out of the back-forward cache has said its byes.
addEventListener('pageshow', event => { if (event.persisted) location.reload() })

// Streams of channels that gave no picture here, and until when nobody asks for them again.
const refused = new Map()

/** @param minutes a camera may do better soon; a browser that does not decode something will hardly learn it. */
export const refuse = (key, number, minutes = 10) => {
  const known = key + '/' + number
  refused.set(known, Math.max(refused.get(known) ?? 0, performance.now() + minutes * 60000))
}
export const forgive = key => { for (const known of [...refused.keys()]) if (known.startsWith(key + '/')) refused.delete(known) }
const isRefused = (key, number) => refused.get(key + '/' + number) > performance.now()

/** Which stream suits the size, of those that the channel has: sub streams are what a browser can decode many of. */
export function preferred(key, isSmall) {
  const sub = directory.channels.get(key)?.stream_numbers?.find(number => number > 0)
  const order = !sub ? [0] : isSmall ? [sub, 0] : [0, sub]
  return order.find(number => !isRefused(key, number))
}

/** Why an invitation failed, in the operator's words; '' when the server's text is all there is to say. */
export function explain(code, desp) {
  if (code === 3001) return t('fail.device')
  const status = Number(/\b([3-6]\d\d) [A-Z]/.exec(desp)?.[1] ?? 0)
  if ([400, 401, 403, 404, 408, 415, 480, 486, 488, 500, 503].includes(status)) return t('fail.' + (status === 415 ? 488 : status === 401 ? 403 : status === 500 ? 503 : status))
  if (/no answer|timed? ?out|timeout/i.test(desp)) return t('fail.408')
  if (/packets|media|key frame|program stream/i.test(desp)) return t('fail.media')
  if (/already exist|publish/i.test(desp)) return t('fail.name')
  return ''
}

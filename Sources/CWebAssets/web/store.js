// What the server said last, shared by the views.
import { Poll, api } from './api.js'
import { serverClock } from './format.js'

export const devices = new Poll('stat/gb28181_devices', () => directory.querying ? 2000 : 5000)
export const groups = new Poll('stat/all_group', 2000)
export const server = new Poll('stat/server', 2000)

export const channelKey = (device, channel) => device + '/' + channel

/** The newest device list, indexed. */
export const directory = {
  devices: [], byID: new Map(), channels: new Map(), querying: false, loaded: false,
  take(data) {
    this.devices = data.devices ?? []
    this.byID = new Map()
    this.channels = new Map()
    this.querying = false
    this.loaded = true
    for (const device of this.devices) {
      device.channels ??= []
      this.byID.set(device.device_id, device)
      if (device.catalog?.state === 'querying') this.querying = true
      for (const channel of device.channels) this.channels.set(channelKey(device.device_id, channel.channel_id), channel)
    }
  },
}

export const listenDevices = listener => devices.listen(data => {
  if (data !== directory.source) { directory.source = data; directory.take(data) }
  listener(directory)
})
export const listenGroups = listener => groups.listen(data => listener(data.groups ?? []))

export const nameOf = thing => thing.device_name || thing.channel_name || thing.device_id || thing.channel_id || ''

/** The key of the channel that sends a stream; streams that were invited without a name are called DEVICE_CHANNEL. */
export function channelOf(stream) {
  const key = stream.replace('_', '/')
  for (const own of [key, key.replace(/_[1-9]$/, '')]) if (directory.channels.has(own)) return own
  for (const [other, channel] of directory.channels) if (channel.stream_name === stream || channel.sub_streams?.some(sub => sub.stream_name === stream)) return other
}

export const isSubStream = (channel, stream) => channel.sub_streams?.some(sub => sub.stream_name === stream)
  || channel.stream_name !== stream && /^[^_]+_[^_]+_[1-9]$/.test(stream)

/** `streaming` whichever of its streams does. */
export const activity = channel => channel.status !== 'idle' ? channel.status : channel.sub_streams?.[0]?.status ?? 'idle'

/** Of one of its streams. */
export const statusOf = (channel, number) => number ? channel.sub_streams?.find(sub => sub.stream_number === number)?.status ?? 'idle' : channel.status

/** A group that somebody publishes, or that is pulled. */
export const source = group => group.pub?.session_id ? group.pub : group.pull?.session_id ? group.pull : null

// Until stat/server has answered, and with servers that do not have it: the ports of the default configuration.
const fallback = [
  ['RTSP', 'rtsp://{host}:5544/live/{stream}'], ['RTMP', 'rtmp://{host}:1935/live/{stream}'],
  ['HTTP-FLV', 'http://{host}:8080/live/{stream}.flv'], ['HTTP-fMP4', 'http://{host}:8080/live/{stream}.mp4'],
  ['WS-fMP4', 'ws://{host}:8080/live/{stream}.mp4'], ['HLS', 'http://{host}:8080/hls/{stream}.m3u8'],
].map(([protocol, url]) => ({ protocol, url }))

let templates = fallback
export let about = {}
export function takeServer(data) {
  about = data
  if (data.urls?.length) templates = data.urls
  serverClock.take(data.start_time, data.uptime_sec)
}

export const streamURLs = name => templates.map(({ protocol, url }) => ({
  protocol, url: url.replaceAll('{host}', location.hostname || '127.0.0.1').replaceAll('{stream}', () => encodeURIComponent(name)),
}))

/** What the player is given: the protocols that this page may use. On https that is TLS, or the same origin behind a proxy. */
export function playable(name) {
  const urls = streamURLs(name).map(entry => entry.url)
  const secure = location.protocol === 'https:'
  const find = (scheme, ending) => urls.find(url => url.startsWith(scheme + (secure ? 's://' : '://')) && ending.test(url))
  const path = '/live/' + encodeURIComponent(name) + '.mp4'
  return {
    ws: find('ws', /\.mp4$/) ?? (secure ? 'wss://' + location.host + path : undefined),
    http: find('http', /\.mp4$/) ?? (secure ? 'https://' + location.host + path : undefined),
    hls: find('http', /\/index\.m3u8$/) ?? find('http', /\.m3u8$/),
    still: api.url('snapshot', { stream_name: name }),
  }
}

// How to connect a camera: this server's values under the names of each maker's menu.
import { copyable, dialog, fill, h, icon, setAttribute, setClass } from './dom.js'
import { about, directory } from './store.js'
import { language, t } from './text.js'

// [what, name in the Chinese menu, name in the English menu]
const makers = {
  hikvision: {
    name: ['海康威视', 'Hikvision'],
    path: ['配置 › 网络 › 高级配置 › 平台接入 › 平台接入方式:28181', 'Configuration › Network › Advanced Settings › Platform Access › 28181'],
    fields: [
      ['enable', '启用', 'Enable'], ['version', '协议版本', 'Protocol Version'], ['id', 'SIP服务器ID', 'SIP Server ID'], ['domain', 'SIP服务器域', 'SIP Server Domain'],
      ['address', 'SIP服务器地址', 'SIP Server Address'], ['port', 'SIP服务器端口', 'SIP Server Port'],
      ['device', 'SIP用户名', 'SIP User Name'], ['device', 'SIP用户认证ID', 'SIP User Authentication ID'], ['password', '密码', 'Password'],
      ['expires', '注册有效期', 'Registration Validity'], ['heartbeat', '心跳周期', 'Heartbeat'], ['count', '最大心跳超时次数', 'Max. Heartbeat Timeout Times'],
      ['channel', '视频通道编码ID', 'Video Channel Coding ID'],
    ],
  },
  dahua: {
    name: ['大华', 'Dahua'],
    path: ['设置 › 网络设置 › 平台接入 › 国标28181', 'Setup › Network › Access Platform › GB28181'],
    fields: [
      ['enable', '接入使能', 'Enable'], ['id', 'SIP服务器编号', 'SIP Server No.'], ['domain', 'SIP域', 'SIP Domain'], ['address', 'SIP服务器IP', 'SIP Server IP'],
      ['port', 'SIP服务器端口', 'SIP Server Port'], ['device', '设备编号', 'Device No.'], ['password', '注册密码', 'Register Password'],
      ['expires', '注册有效期', 'Registration Validity'], ['heartbeat', '心跳周期', 'Heartbeat Cycle'], ['count', '最大心跳超时次数', 'Max. Heartbeat Timeouts'],
      ['channel', '通道编号', 'Channel No.'],
    ],
  },
  uniview: {
    name: ['宇视', 'Uniview'],
    path: ['配置 › 系统 › 服务器 › 管理服务器(管理协议:GB/T 28181)', 'Setup › System › Server › Management Server (protocol GB/T 28181)'],
    fields: [
      ['version', '协议版本', 'Protocol Version'], ['id', '服务器ID', 'Server ID'], ['domain', '服务器域', 'Server Domain'], ['address', '服务器地址', 'Server Address'],
      ['port', '服务器端口', 'Server Port'], ['device', '设备ID', 'Device ID'], ['device', '用户名', 'Username'], ['password', '密码', 'Password'],
      ['expires', '注册有效期', 'Registration Validity'], ['heartbeat', '心跳周期', 'Heartbeat Interval'], ['count', '最大心跳次数', 'Max. Heartbeats'],
      ['channel', '视频通道ID', 'Video Channel ID'],
    ],
  },
}

/** A 20-digit ID of this domain that no device has: 10 digits of place, type 132 or 131, network 0, number. */
function freeID(type, domain) {
  const place = (/^\d{10}/.exec(domain)?.[0] ?? '3402000000')
  const taken = id => type === '132' ? directory.byID.has(id) : directory.devices.some(device => device.channels.some(channel => channel.channel_id === id))
  for (let number = 1; ; number += 1) {
    const id = place + type + '0' + String(number).padStart(6, '0')
    if (!taken(id)) return id
  }
}

export function recipe() {
  const settings = about.gb28181 ?? {}
  if (settings.enabled === false) return h('p.callout.warn', null, icon('warning'), t('recipe.disabled'))
  const host = settings.sip_ip || location.hostname
  const domain = settings.sip_domain || String(settings.sip_id ?? '').slice(0, 10)
  const values = {
    id: settings.sip_id, domain, address: host, port: settings.sip_port,
    device: freeID('132', domain), channel: freeID('131', domain), expires: 3600, heartbeat: 60, count: 3, version: 'GB/T28181-2016',
  }
  const loopback = /^(localhost|127\.|\[?::1)/.test(host)
  const body = h('.recipe-body')
  const tabs = Object.keys(makers).map(maker => h('button.segment', { type: 'button', role: 'tab', test: 'recipe-' + maker, onclick: () => show(maker) }, makers[maker].name[language() === 'zh' ? 0 : 1]))
  function show(maker) {
    Object.keys(makers).forEach((name, index) => { setClass(tabs[index], 'on', name === maker); setAttribute(tabs[index], 'aria-selected', String(name === maker)) })
    const { path, fields } = makers[maker]
    const zh = language() === 'zh' ? 0 : 1
    fill(body,
      h('p.recipe-path', null, path[zh]),
      h('table.recipe-table', null, h('thead', null, h('tr', null, h('th', null, t('recipe.field')), h('th', null, t('recipe.value')), h('th', null, t('recipe.note')))),
        h('tbody', null, fields.map(([what, ...label]) => h('tr', null,
          h('th', { scope: 'row' }, label[zh]),
          h('td', null, what === 'enable' ? t('recipe.on') : what === 'password' ? t(settings.password_required === false ? 'recipe.password.none' : 'recipe.password')
            : values[what] === undefined || values[what] === '' ? '–' : copyable(String(values[what]), label[zh], 'recipe-' + what)),
          h('td.note', null, { device: t('recipe.device'), channel: t('recipe.channel'), address: !settings.sip_ip && t('recipe.address') }[what] || ''))))))
  }
  show('hikvision')
  return h('.recipe', { test: 'recipe' },
    h('p', null, t('recipe.intro')),
    loopback && h('p.callout.warn', null, icon('warning'), t('recipe.loopback')),
    settings.password_required === false && h('p.callout.warn', null, icon('warning'), t('recipe.open')),
    h('.segments', { role: 'tablist', aria: { label: t('recipe.maker') } }, tabs), body,
    h('p.note', null, t('recipe.after', { transports: (settings.transports ?? ['udp', 'tcp']).join(' / ').toUpperCase(), port: settings.sip_port ?? 5060 })))
}

export const showRecipe = () => dialog(t('recipe'), recipe, { wide: true, test: 'recipe-dialog' })

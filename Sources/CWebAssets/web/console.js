// The console: login, navigation, the banner when the server is gone, and the views.
import { api } from './api.js'
import { Devices } from './devices.js'
import { button, dialog, fill, h, icon, iconButton, remembered, setAttribute, setHidden, setText, toast } from './dom.js'
import { releaseAll } from './invitations.js'
import { loginForm } from './login.js'
import { Server } from './server.js'
import { devices, groups, server, takeServer } from './store.js'
import { Streams } from './streams.js'
import { language, setLanguage, t } from './text.js'
import { Wall } from './wall.js'
import { WatchPage } from './watch.js'

const views = { wall: Wall, devices: Devices, streams: Streams, server: Server }
const names = Object.keys(views)
let shell = null

const dark = matchMedia('(prefers-color-scheme: dark)')
function paintTheme() {
  const theme = remembered.get('theme', null) ?? (dark.matches ? 'dark' : 'light')
  document.documentElement.dataset.theme = theme
  return theme
}
dark.addEventListener('change', () => paintTheme())

function tools() {
  const theme = iconButton(paintTheme() === 'dark' ? 'sun' : 'moon', t('theme'), () => {
    remembered.set('theme', document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark')
    fill(theme, icon(paintTheme() === 'dark' ? 'sun' : 'moon'))
  }, { test: 'theme' })
  return [
    theme,
    h('button.icon-button.language', { type: 'button', title: t('language'), aria: { label: t('language') }, test: 'language', onclick: () => {
      setLanguage(language() === 'zh' ? 'en' : 'zh')
      shell ? openShell() : openLogin()
    } }, language() === 'zh' ? 'EN' : '中'),
  ]
}

class Shell {
  #opened = {}
  constructor() {
    this.main = h('main.view', { id: 'view', tabIndex: -1 })
    this.banner = h('.banner', { role: 'alert', hidden: true, test: 'banner' }, icon('warning'), this.bannerText = h('span'), button('small', 'refresh', t('retry.now'), () => api.dispatchEvent(new Event('retry'))))
    this.links = names.map((name, index) => h('a.nav-link', { href: '#' + name, test: 'nav-' + name, aria: { keyshortcuts: String(index + 1) }, title: t('view.' + name) + ' (' + (index + 1) + ')' }, icon(name), h('span', null, t('view.' + name))))
    this.element = h('.app', null,
      h('a.skip', { href: '#view', onclick: event => { event.preventDefault(); this.main.focus() } }, t('skip')),
      h('header.nav', null,
        h('.brand', null, h('img', { src: 'icon.svg', alt: '', width: '28', height: '28' }), h('h1', null, 'gbgate')),
        h('nav', { aria: { label: t('views') } }, this.links),
        h('.nav-tools', null, tools(), iconButton('help', t('help') + ' (?)', help, { test: 'help' }),
          api.guarded && iconButton('logout', t('logout'), () => { releaseAll(); api.logout(); openLogin() }, { test: 'logout' }))),
      this.banner, this.main)
  }

  go() {
    const hash = location.hash.slice(1)
    const watched = /^watch=(.+)$/.exec(hash)?.[1]
    const name = watched ? 'watch' : names.includes(hash.split('/')[0]) ? hash.split('/')[0] : 'wall'
    if (this.view !== undefined && this.name === name && !watched) return this.view.route?.(hash.split('/').slice(1).map(decode))
    this.view?.close()
    if (this.name === 'watch') this.view?.destroy()
    this.name = name
    this.view = watched ? new WatchPage(decode(watched)) : this.#opened[name] ??= new views[name]()
    this.main.replaceChildren(this.view.element)
    this.view.open()
    this.view.route?.(hash.split('/').slice(1).map(decode))
    names.forEach((other, index) => setAttribute(this.links[index], 'aria-current', other === name ? 'page' : null))
    document.title = (watched ? decode(watched) : t('view.' + name)) + ' – gbgate'
  }

  gone() {
    clearInterval(this.timer)
    const paint = () => {
      if (!api.failures) { clearInterval(this.timer); setHidden(this.banner, true); return }
      setHidden(this.banner, false)
      const left = Math.max(0, Math.ceil((api.nextAttempt - Date.now()) / 1000))
      setText(this.bannerText, left ? t('banner.gone', { n: left }) : t('banner.trying'))
    }
    this.timer = setInterval(paint, 500)
    paint()
  }

  close() {
    clearInterval(this.timer)
    this.view?.close()
    for (const view of Object.values(this.#opened)) view.destroy()
    this.element.remove()
  }
}

const decode = text => { try { return decodeURIComponent(text) } catch { return text } }

function openShell() {
  shell?.close()
  for (const node of document.querySelectorAll('dialog')) node.remove()
  shell = new Shell()
  document.body.replaceChildren(shell.element)
  shell.go()
  if (api.failures) shell.gone()
}

function openLogin(message = '') {
  shell?.close()
  shell = null
  for (const poll of [devices, groups, server]) poll.forget()
  document.title = t('login') + ' – gbgate'
  document.body.replaceChildren(loginForm(message, start, tools()))
}

function help() {
  const row = (keys, text) => h('tr', null, h('th', null, keys.map(key => h('kbd', null, key))), h('td', null, text))
  dialog(t('help'), () => [
    h('table.keys', null, h('tbody', null,
      names.map((name, index) => row([String(index + 1)], t('view.' + name))),
      row(['/'], t('help.search')), row(['?'], t('help')), row(['←', '→', '↑', '↓'], t('help.move')),
      row(['Enter'], t('help.enter')), row([t('key.space')], t('help.space')), row(['Delete'], t('help.delete')), row(['Esc'], t('help.escape')))),
    h('p.note', null, t('help.mouse')),
  ], { test: 'help-dialog' })
}

addEventListener('keydown', event => {
  if (!shell || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.('input, select, textarea, dialog')) return
  if (event.key === '?') help()
  else if (names[Number(event.key) - 1] && /^[1-4]$/.test(event.key)) location.hash = names[Number(event.key) - 1]
  else if (event.key === '/') {
    const field = shell.main.querySelector('input[type=search]')
    if (!field) return
    field.focus()
  } else return
  event.preventDefault()
})
addEventListener('hashchange', () => shell?.go())

api.addEventListener('unauthorized', event => { if (shell) openLogin(t(event.detail.hadToken ? 'login.refused' : 'login.needed')) })
api.addEventListener('unreachable', () => shell?.gone())
api.addEventListener('reachable', () => shell?.gone())

async function start() {
  try {
    takeServer(await api.call('stat/server'))
  } catch (error) {
    if (error.kind === 'unauthorized') return openLogin(api.token ? t('login.refused') : '')
    if (error.kind === 'refused') toast('error', t('try.server'), error.words)
  }
  openShell()
}

paintTheme()
setLanguage(language())
start()

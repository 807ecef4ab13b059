// Calls of the server's API, the token, and polling with back-off when the server is gone.
import { t } from './text.js'

export class APIError extends Error {
  /** kind: 'gone' (no answer), 'unauthorized', 'refused' (error_code ≠ 0) */
  constructor(kind, { code = 0, desp = '', hint = '' } = {}) {
    super(desp || kind)
    Object.assign(this, { kind, code, desp, hint })
  }
  /** The server's own words, for toasts and tiles. */
  get words() {
    if (this.kind === 'gone') return t('server.gone')
    if (this.kind === 'unauthorized') return t('login.needed')
    return [this.desp, this.hint].filter(Boolean).join('\n')
  }
}

export const api = new (class extends EventTarget {
  token = read(sessionStorage) ?? read(localStorage) ?? ''
  /** Whether the server has asked for a token. */
  guarded = !!this.token
  failures = 0
  nextAttempt = 0

  async call(path, { query, body, timeout = 15000, keepalive = false, token = this.token } = {}) {
    let url = 'api/' + path
    if (query) url += '?' + new URLSearchParams(query)
    const headers = {}
    if (token) headers.Authorization = 'Bearer ' + token
    if (body) headers['Content-Type'] = 'application/json'
    let answer, status
    try {
      const response = await fetch(url, {
        method: body ? 'POST' : 'GET', headers, keepalive, cache: 'no-store', credentials: 'omit',
        body: body && JSON.stringify(body), signal: AbortSignal.timeout(timeout),
      })
      status = response.status
      answer = await response.json()
      if (typeof answer.error_code !== 'number') throw new Error('not an envelope')
    } catch {
      if (status === 401) return this.#unauthorized(token)
      throw new APIError('gone')
    }
    if (status === 401 || answer.error_code === 401) return this.#unauthorized(token)
    if (answer.error_code !== 0) {
      throw new APIError('refused', { code: answer.error_code, desp: String(answer.desp ?? ''), hint: String(answer.hint ?? '') })
    }
    return answer.data ?? {}
  }

  #unauthorized(token) {
    this.guarded = true
    // A late answer to an older token says nothing about the present one.
    if (token === this.token) this.dispatchEvent(new CustomEvent('unauthorized', { detail: { hadToken: !!token } }))
    throw new APIError('unauthorized')
  }

  /** Throws when the server refuses the token. */
  async login(token, remember) {
    await this.call('stat/lal_info', { token: token || ' ' })
    this.token = token
    write(sessionStorage, token)
    write(localStorage, remember ? token : null)
  }

  logout() {
    this.token = ''
    write(sessionStorage, null)
    write(localStorage, null)
  }

  /** URLs that an <img> or a link fetches cannot carry a header. */
  url(path, query) {
    const all = new URLSearchParams(query)
    if (this.token) all.set('token', this.token)
    return new URL('api/' + path + '?' + all, location.href).href
  }

  answered() {
    if (!this.failures) return
    this.failures = 0
    this.dispatchEvent(new Event('reachable'))
  }

  failed() {
    this.failures += 1
    const wait = Math.min(15000, 1000 * 2 ** (this.failures - 1))
    this.nextAttempt = Date.now() + wait
    this.dispatchEvent(new Event('unreachable'))
    return wait
  }
})()

/** One path asked again and again while somebody listens and the document is visible; one request in flight. */
export class Poll {
  #listeners = new Set()
  #timer = 0
  #running = false
  #again = false
  data = null
  /** performance.now() when the newest answer was asked for. */
  askedAt = 0

  constructor(path, interval) {
    this.path = path
    this.interval = interval
    document.addEventListener('visibilitychange', () => this.#schedule(0))
    api.addEventListener('retry', () => this.#schedule(0))
  }

  /** Returns a function that ends it. */
  listen(listener) {
    this.#listeners.add(listener)
    if (this.data) listener(this.data)
    this.#schedule(0)
    return () => { this.#listeners.delete(listener); if (!this.#listeners.size) clearTimeout(this.#timer) }
  }

  refresh() {
    if (this.#running) this.#again = true
    else this.#schedule(0)
  }

  forget() { this.data = null }

  #schedule(delay) {
    clearTimeout(this.#timer)
    if (!this.#listeners.size || document.hidden || this.#running) return
    this.#timer = setTimeout(() => this.#ask(), delay)
  }

  async #ask() {
    this.#running = true
    const began = performance.now()
    let delay
    try {
      this.data = await api.call(this.path)
      this.askedAt = began
      api.answered()
      for (const listener of [...this.#listeners]) listener(this.data)
      // A long list is asked for less often, so that it does not keep page and server busy.
      delay = Math.max(typeof this.interval === 'function' ? this.interval() : this.interval, (performance.now() - began) * 8)
    } catch (error) {
      if (!(error instanceof APIError)) console.error(error)
      if (error.kind === 'gone') delay = api.failed()
      else if (error.kind === 'unauthorized') delay = null
      else { api.answered(); delay = 10000; this.refusal = error }
    }
    this.#running = false
    if (delay === null) return
    this.#schedule(this.#again ? 0 : delay)
    this.#again = false
  }
}

function read(storage) {
  try { return storage.getItem('gbgate.token') } catch { return null }
}
function write(storage, token) {
  try { token === null ? storage.removeItem('gbgate.token') : storage.setItem('gbgate.token', token) } catch { /* for this page only */ }
}

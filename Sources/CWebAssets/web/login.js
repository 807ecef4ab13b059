// The token is asked for only when the server wants one.
import { api } from './api.js'
import { button, fill, h, icon, setHidden, setText } from './dom.js'
import { t } from './text.js'

/** `message` says why the form is shown; `done` is called with a token that the server takes. */
export function loginForm(message, done, tools) {
  const field = h('input', { type: 'password', id: 'token', autocomplete: 'current-password', spellcheck: false, required: true, test: 'token' })
  const remember = h('input', { type: 'checkbox', test: 'remember' })
  const error = h('p.error', { role: 'alert', test: 'login-error', hidden: !message }, message)
  const submit = h('button.primary', { type: 'submit', test: 'login' }, t('login'))
  const reveal = h('button.icon-button', { type: 'button', title: t('login.show'), aria: { label: t('login.show'), pressed: 'false' }, onclick: () => {
    const hidden = field.type === 'password'
    field.type = hidden ? 'text' : 'password'
    reveal.setAttribute('aria-pressed', String(hidden))
  } }, icon('eye'))
  const say = text => { setText(error, text); setHidden(error, !text) }
  const form = h('form.login', {
    test: 'login-form', autocomplete: 'on',
    onsubmit: async event => {
      event.preventDefault()
      submit.disabled = true
      fill(submit, t('login.checking'))
      try {
        await api.login(field.value.trim(), remember.checked)
        return done()
      } catch (failure) {
        say(failure.kind === 'unauthorized' ? t('login.wrong') : failure.words)
        field.select()
      }
      submit.disabled = false
      fill(submit, t('login'))
    },
  },
  h('.brand', null, h('img', { src: 'icon.svg', alt: '', width: '40', height: '40' }), h('div', null, h('h1', null, 'gbgate'), h('p', null, t('login.title')))),
  h('label.field', { for: 'token' }, t('login.token')), h('.token-box', null, field, reveal),
  h('p.note', null, t('login.where')),
  h('label.check', null, remember, t('login.remember')), error, submit)
  queueMicrotask(() => field.focus())
  return h('main.login-page', null, h('.login-tools', null, tools), form)
}

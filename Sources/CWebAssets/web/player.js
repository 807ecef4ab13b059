// gbgate's player: fragmented MP4 over WebSocket into Media Source Extensions, close to the live edge.
// How to embed it, options, events and statistics: docs/player.md.

const words = {
  en: {
    play: 'Play', pause: 'Pause', mute: 'Mute', unmute: 'Sound on', volume: 'Volume', snapshot: 'Save picture', statistics: 'Statistics',
    fullscreen: 'Full screen', zoomReset: 'Reset zoom', player: 'Live video', connecting: 'Connecting…', paused: 'Paused',
    noStream: 'No stream: nobody is publishing it', keyFrame: 'Waiting for a key frame…', noData: n => `No data for ${n} s`,
    buffering: 'Waiting for data…', gone: n => `Server gone: next attempt in ${n} s`, refused: (why, n) => `${why}: next attempt in ${n} s`,
    ended: why => `Ended: ${why}`, codec: name => `This browser cannot play ${name}`, carry: name => `${name} cannot be carried to the browser`,
    still: 'still pictures instead', sub: name => `${name} is not supported here: sub stream`, soundOnly: 'Sound only',
    noPlayback: 'This browser has no Media Source Extensions', noStill: 'no still picture either', forbidden: 'Not allowed',
    rows: ['codecs', 'picture', 'bit rate', 'lag', 'buffer', 'since start'], dropped: 'dropped', first: 'first picture',
    counts: (r, j, s) => `${r} reconnects, ${j} jumps, ${s} stalls`,
  },
  zh: {
    play: '播放', pause: '暂停', mute: '静音', unmute: '打开声音', volume: '音量', snapshot: '保存截图', statistics: '统计信息',
    fullscreen: '全屏', zoomReset: '还原缩放', player: '实时视频', connecting: '正在连接…', paused: '已暂停',
    noStream: '没有码流：暂无推流', keyFrame: '等待关键帧…', noData: n => `${n} 秒没有数据`,
    buffering: '等待数据…', gone: n => `服务器断开：${n} 秒后重连`, refused: (why, n) => `${why}：${n} 秒后重试`,
    ended: why => `已结束：${why}`, codec: name => `此浏览器无法播放 ${name}`, carry: name => `${name} 无法传送到浏览器`,
    still: '改为显示截图', sub: name => `此处不支持 ${name}：显示子码流`, soundOnly: '只有声音',
    noPlayback: '此浏览器不支持 Media Source Extensions', noStill: '也没有截图', forbidden: '没有权限',
    rows: ['编码', '画面', '码率', '延迟', '缓冲', '累计'], dropped: '丢帧', first: '首帧',
    counts: (r, j, s) => `重连 ${r} 次，跳转 ${j} 次，卡顿 ${s} 次`,
  },
};

const style = `
.gbgate-player{position:relative;width:100%;height:100%;overflow:hidden;background:#000;color:#fff;font:13px/1.4 system-ui,sans-serif;outline-offset:-2px;container-type:inline-size;user-select:none;-webkit-user-select:none}
.gbgate-view{width:100%;height:100%;transform-origin:0 0}
.gbgate-video,.gbgate-still{display:block;width:100%;height:100%;object-fit:contain;aspect-ratio:auto 16/9}
.gbgate-player [hidden]{display:none}
.gbgate-state{position:absolute;inset:0;display:flex;align-items:center;justify-content:center;padding:8px;text-align:center;background:#0009;text-shadow:0 1px 2px #000;pointer-events:none;overflow-wrap:anywhere}
.gbgate-state.gbgate-note{inset:0 0 auto;background:#000a}
.gbgate-statistics{position:absolute;top:0;left:0;margin:0;padding:6px 8px;max-width:100%;box-sizing:border-box;overflow:hidden;background:#000b;color:#e6edf3;font:11px/1.45 ui-monospace,monospace;white-space:pre-wrap;pointer-events:none}
.gbgate-bar{position:absolute;inset:auto 0 0;display:flex;align-items:center;gap:2px;padding:18px 6px 4px;background:linear-gradient(#0000,#000c);opacity:0;transition:opacity .2s}
.gbgate-player:hover>.gbgate-bar,.gbgate-player:focus-within>.gbgate-bar,.gbgate-touched>.gbgate-bar{opacity:1}
.gbgate-button{flex:none;display:inline-flex;align-items:center;justify-content:center;width:32px;height:32px;margin:0;padding:0;border:0;border-radius:6px;background:none;color:#fff;font:600 12px system-ui,sans-serif;cursor:pointer}
.gbgate-button:hover{background:#fff3}
.gbgate-button:focus-visible,.gbgate-volume:focus-visible,.gbgate-player:focus-visible{outline:2px solid #58a6ff}
.gbgate-button svg{width:20px;height:20px;fill:none;stroke:currentColor;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.gbgate-volume{width:64px;min-width:0;margin:0 4px;accent-color:#fff}
.gbgate-space{flex:1}
.gbgate-loud{position:absolute;top:8px;right:8px;width:auto;padding:0 12px;gap:6px;background:#000b}
.gbgate-start{position:absolute;inset:0;margin:auto;width:64px;height:64px;border-radius:50%;background:#000b}
.gbgate-start svg{width:32px;height:32px}
@container (max-width:300px){.gbgate-volume{display:none}.gbgate-button{width:26px;height:26px}.gbgate-start{width:44px;height:44px}.gbgate-state{font-size:12px}}
@media (prefers-reduced-motion:reduce){.gbgate-bar{transition:none}}
`;

const icons = {
  play: 'M7 4 20 12 7 20Z',
  pause: 'M8 4V20M16 4V20',
  loud: 'M3 9H7L12 5V19L7 15H3ZM16 9Q18 12 16 15M19 6Q23 12 19 18',
  quiet: 'M3 9H7L12 5V19L7 15H3ZM16 9 22 15M22 9 16 15',
  snapshot: 'M3 7H8L10 4H14L16 7H21V19H3ZM9 13A3 3 0 0 0 15 13A3 3 0 0 0 9 13',
  statistics: 'M4 20H20M6 20V13M12 20V5M18 20V9',
  fullscreen: 'M4 9V4H9M15 4H20V9M20 15V20H15M9 20H4V15',
};

const codecNames = [
  [/^avc[13]/, 'H.264'], [/^(hvc|hev)1/, 'H.265'], [/^av01/, 'AV1'], [/^vp09/, 'VP9'], [/^mp4a\.(69|6B)/i, 'MP3'], [/^mp4a/, 'AAC'],
  [/^flac/i, 'FLAC'], [/^opus/i, 'Opus'],
];
const isPicture = codec => /^(avc|hvc|hev|av01|vp0)/.test(codec);
const nameOf = codec => codecNames.find(([form]) => form.test(codec))?.[1] ?? codec;

const Source = globalThis.MediaSource ?? globalThis.ManagedMediaSource;
const sheets = new WeakSet();

function adoptStyle(root) {
  if (sheets.has(root)) return;
  sheets.add(root);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(style);
  root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
}

function make(tag, name, parent, attributes = {}) {
  const element = document.createElement(tag);
  element.className = name;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent?.append(element);
  return element;
}

function draw(button, icon) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.append(document.createElementNS(svg.namespaceURI, 'path'));
  svg.firstChild.setAttribute('d', icons[icon]);
  button.replaceChildren(svg);
}

/** The URLs of a stream: a string is that of fMP4, over WebSocket or HTTP. */
function sourcesOf(url) {
  const given = typeof url === 'string' ? { ws: url } : { ...url };
  const absolute = text => new URL(text, location.href).href;
  const main = given.ws ?? given.http;
  if (main) {
    given.ws = absolute(main).replace(/^http/, 'ws');
    given.http = absolute(given.http ?? main).replace(/^ws/, 'http');
  }
  return given;
}

/** What is appended to a video element: a queue, one append at a time, and a bounded past. */
class Reel {
  static maximumQueue = 24e6;
  type = '';
  #video;
  #media;
  #buffer;
  #url;
  #queue = [];
  #queued = 0;
  #isTrimming = false;
  #keys = [];
  /** Whether each append is one frame, so that key frames are seen. */
  isFramed = false;

  /** @param past seconds that are kept behind the picture. */
  constructor(video, past, { appended, failed }) {
    this.#video = video;
    this.past = past;
    this.appended = appended;
    this.failed = failed;
    this.#media = new Source();
    this.#media.addEventListener('sourceopen', () => {
      this.#dropURL();
      this.#pump();
    }, { once: true });
    // ManagedMediaSource does not open without it.
    video.disableRemotePlayback = true;
    this.#url = URL.createObjectURL(this.#media);
    video.src = this.#url;
  }

  describe(type) {
    this.type = type;
    this.#queue.push({ type });
    this.#pump();
  }

  append(bytes) {
    this.#queue.push(bytes);
    if (this.isFramed) this.#noteKey(bytes);
    this.#queued += bytes.byteLength;
    // A tab that is not let append for long begins anew at the newest key frame.
    if (this.#queued > Reel.maximumQueue) return this.failed('the queue is full');
    this.#pump();
  }

  /** Forgets what there is: what comes next has another clock. The picture stays on the screen. */
  restart() {
    this.#queue = [{ clear: true }];
    this.#queued = 0;
    this.#keys = [];
    this.#pump();
  }

  close() {
    this.#dropURL();
    this.#queue = [];
    if (this.#buffer) this.#buffer.onupdateend = null;
    this.#buffer = undefined;
    this.#media = undefined;
    this.#video.removeAttribute('src');
    this.#video.load();
  }

  #dropURL() {
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = undefined;
  }

  #pump() {
    try {
      while (this.#queue.length && this.#media?.readyState === 'open' && !this.#buffer?.updating) this.#step();
    } catch (error) {
      if (error.name !== 'QuotaExceededError') return this.failed(error.message);
      if (!this.#trim(3)) this.failed(error.message);
    }
  }

  #step() {
    const [next] = this.#queue;
    const buffer = this.#buffer;
    if (next.type) {
      if (!buffer) {
        this.#buffer = this.#media.addSourceBuffer(next.type);
        this.#buffer.onupdateend = () => this.#finish();
      } else {
        buffer.changeType(next.type);
      }
      this.#queue.shift();
    } else if (next.clear) {
      this.#queue.shift();
      buffer?.abort();
      if (buffer?.buffered.length) buffer.remove(0, Infinity);
    } else if (!(this.#pastLength(buffer) > this.past + 10 && this.#trim(this.past))) {
      let count = this.#queue.findIndex(item => !item.byteLength);
      if (count < 0) count = this.#queue.length;
      const bytes = count === 1 ? next : joined(this.#queue.slice(0, count));
      buffer.appendBuffer(bytes);
      this.#queue.splice(0, count);
      this.#queued -= bytes.byteLength;
    }
  }

  #pastLength({ buffered }) {
    return buffered.length ? this.#video.currentTime - buffered.start(0) : 0;
  }

  /** Times of pictures are in 1/90000 s; the layout is that of a fragment with one picture. */
  #noteKey(bytes) {
    if (bytes.byteLength < 104) return;
    const view = new DataView(bytes.buffer ?? bytes, bytes.byteOffset ?? 0);
    const isPictureRun = view.getUint32(36) === 0x74666864 && view.getUint32(44) === 1 && view.getUint32(72) === 0x7472756E;
    if (!isPictureRun || view.getUint32(96) !== 0x02000000) return;
    this.#keys.push((view.getUint32(60) * 2 ** 32 + view.getUint32(64) + view.getInt32(100)) / 90000);
  }

  /** Cuts what is older, at a key frame: remove() goes on to the next one, and must not take what is being shown. */
  #trim(seconds) {
    const length = this.#pastLength(this.#buffer);
    const now = this.#video.currentTime;
    let end = now - seconds;
    if (this.isFramed) {
      const keys = this.#keys.filter(key => key > now - length + 0.5 && key < now - 1);
      end = (keys.findLast(key => key <= end) ?? keys[0]) - 0.005;
    }
    if (!(end > now - length)) return false;
    this.#keys = this.#keys.filter(key => key > end);
    this.#isTrimming = true;
    this.#buffer.remove(0, end);
    return true;
  }

  #finish() {
    const { buffered } = this.#buffer;
    if (this.#isTrimming) {
      this.#isTrimming = false;
      // A group of pictures longer than the past: over HTTP key frames are not seen.
      if (!buffered.length || buffered.start(0) > this.#video.currentTime) {
        this.past = Math.min(this.past * 2, 240);
        return this.failed('a long group of pictures');
      }
    }
    this.appended();
    this.#pump();
  }
}

/** Bytes of a stream by WebSocket. `closed` is told {opened, code, reason}. */
function openSocket(url, { opened, described, received, closed }) {
  let isOpen = false;
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => { isOpen = true; opened('ws'); };
  socket.onmessage = ({ data }) => {
    if (typeof data !== 'string') return received(data);
    try {
      described(JSON.parse(data));
    } catch { /* not the contract's */ }
  };
  socket.onclose = ({ code, reason }) => closed({ opened: isOpen, code, reason });
  return () => {
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  };
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(new Uint8Array(part.buffer ?? part, part.byteOffset, part.byteLength), offset);
    offset += part.byteLength;
  }
  return whole;
}

/** The codecs of an init segment (RFC 6381): over HTTP no message says them. */
function codecsOf(bytes, text) {
  const hex = (value, digits = 2) => value.toString(16).toUpperCase().padStart(digits, '0');
  const at = name => text.indexOf(name) + name.length;
  const codecs = [];
  if (text.includes('avcC')) {
    const [, profile, limits, level] = bytes.subarray(at('avcC'));
    codecs.push(`avc1.${hex(profile)}${hex(limits)}${hex(level)}`);
  } else if (text.includes('hvcC')) {
    const record = bytes.subarray(at('hvcC'));
    let flags = 0;
    for (let bit = 0; bit < 32; bit++) if (record[2 + (bit >> 3)] & 128 >> (bit & 7)) flags += 2 ** bit;
    const constraints = [...record.subarray(6, 12)].map(byte => hex(byte, 1)).join('.').replace(/(\.0)+$/, '');
    codecs.push(`hvc1.${['', 'A', 'B', 'C'][record[1] >> 6]}${record[1] & 31}.${hex(flags, 1)}.${record[1] & 32 ? 'H' : 'L'}${record[12]}.${constraints}`);
  }
  if (text.includes('esds')) codecs.push('mp4a.40.2');
  if (text.includes('fLaC')) codecs.push('flac');
  if (text.includes('dOps')) codecs.push('opus');
  return codecs.join(',');
}

/** The same by HTTP. `closed` is told {opened, status, reason}. */
function openFetch(url, { opened, described, received, closed }) {
  const abort = new AbortController();
  let isOpen = false;
  (async () => {
    let status, reason = '';
    try {
      const response = await fetch(url, { signal: abort.signal, cache: 'no-store' });
      if (!response.ok) {
        status = response.status;
        reason = (await response.json().catch(() => ({}))).desp ?? response.statusText;
      } else {
        isOpen = true;
        opened('http');
        const reader = response.body.getReader();
        const latin = new TextDecoder('latin1');
        let head = new Uint8Array();
        for (let isDescribed = false; ;) {
          let { value, done } = await reader.read();
          if (done || abort.signal.aborted) break;
          if (!isDescribed) {
            value = head = joined([head, value]);
            if (head.length < 65536 && !latin.decode(head).includes('moof')) continue;
            described({ codecs: codecsOf(head, latin.decode(head.subarray(0, 65536))) });
            isDescribed = true;
          } else if (/ftyp(iso|mp4|cmf)/.test(latin.decode(value))) {
            // Another init segment: a new request begins with it.
            break;
          }
          received(value);
        }
      }
    } catch (error) {
      reason = error.message;
    }
    if (!abort.signal.aborted) closed({ opened: isOpen, status, reason });
    abort.abort();
  })();
  return () => abort.abort();
}

/** Digital zoom of a view inside its frame: wheel, drag, pinch, double tap. */
class Lens {
  factor = 1;
  #x = 0;
  #y = 0;
  #view;
  #frame;
  #pointers = new Map();
  #spread = 0;
  #lastTap = 0;
  #moved = 0;

  constructor(frame, view, changed) {
    this.#frame = frame;
    this.#view = view;
    this.changed = changed;
  }

  listen(signal) {
    const frame = this.#frame;
    const on = (type, act, options) => frame.addEventListener(type, act, { signal, ...options });
    this.#setTouch();
    on('wheel', event => {
      const factor = Math.min(8, Math.max(1, this.factor * Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002))));
      // At the ends of the range the page scrolls.
      if (factor === this.factor) return;
      event.preventDefault();
      this.set(factor, ...this.#place(event));
    }, { passive: false });
    on('pointerdown', event => {
      if (event.button || event.target.closest('.gbgate-bar,button')) return;
      this.#pointers.set(event.pointerId, event);
      this.#spread = this.#distance();
      this.#moved = 0;
    });
    on('pointermove', event => {
      const before = this.#pointers.get(event.pointerId);
      if (!before) return;
      this.#pointers.set(event.pointerId, event);
      this.#moved += Math.hypot(event.clientX - before.clientX, event.clientY - before.clientY);
      if (this.#pointers.size === 2) {
        const spread = this.#distance();
        const [a, b] = [...this.#pointers.values()].map(pointer => this.#place(pointer));
        if (this.#spread) this.set(this.factor * spread / this.#spread, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
        this.#spread = spread;
      } else if (this.factor > 1) {
        // Only now, as it takes clicks away from what is inside.
        if (!frame.hasPointerCapture(event.pointerId)) frame.setPointerCapture(event.pointerId);
        this.pan(event.clientX - before.clientX, event.clientY - before.clientY);
      }
    });
    const release = event => {
      if (!this.#pointers.delete(event.pointerId) || event.type !== 'pointerup' || this.#moved > 8) return;
      const isDouble = event.timeStamp - this.#lastTap < 350;
      this.#lastTap = isDouble ? 0 : event.timeStamp;
      if (isDouble && this.factor > 1) {
        this.set(1);
        // The double click is used up.
        frame.addEventListener('dblclick', click => click.stopPropagation(), { once: true, signal: AbortSignal.timeout(400) });
      }
    };
    on('pointerup', release);
    on('pointercancel', release);
  }

  /** @param x, y the point that stays where it is, as parts of the frame (0 to 1). */
  set(factor, x = 0.5, y = 0.5) {
    const next = Math.min(8, Math.max(1, factor || 1));
    this.#x = x - (x - this.#x) * next / this.factor;
    this.#y = y - (y - this.#y) * next / this.factor;
    this.factor = next;
    this.#apply();
  }

  pan(dx, dy) {
    this.#x += dx / this.#frame.clientWidth;
    this.#y += dy / this.#frame.clientHeight;
    this.#apply();
  }

  #apply() {
    const limit = value => Math.min(0, Math.max(1 - this.factor, value));
    this.#x = limit(this.#x);
    this.#y = limit(this.#y);
    this.#view.style.transform = this.factor === 1 ? '' : `translate(${this.#x * 100}%,${this.#y * 100}%) scale(${this.factor})`;
    if (this.#frame.style.touchAction) this.#setTouch();
    this.changed(this.factor);
  }

  #setTouch() {
    this.#frame.style.touchAction = this.factor > 1 ? 'none' : 'pan-x pan-y';
  }

  #place(event) {
    const box = this.#frame.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  #distance() {
    const [a, b] = this.#pointers.values();
    return b ? Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) : 0;
  }
}

/** Everything that is seen: the picture, words over it, the bar of controls. */
class Stage {
  #touchedUntil = 0;

  constructor(player, element, options, signal) {
    const text = this.text = words[options.language] ?? words.en;
    adoptStyle(element.getRootNode().adoptedStyleSheets ? element.getRootNode() : document);
    const frame = this.frame = make('div', 'gbgate-player', null, { tabindex: '0', role: 'group', 'aria-label': text.player });
    this.view = make('div', 'gbgate-view', frame);
    this.video = make('video', 'gbgate-video', this.view, { playsinline: '', disablepictureinpicture: '' });
    this.still = make('img', 'gbgate-still', this.view, { alt: '' });
    this.still.hidden = true;
    this.state = make('div', 'gbgate-state', frame, { role: 'status' });
    this.table = make('div', 'gbgate-statistics', frame);
    this.table.hidden = !options.statistics;
    this.lens = new Lens(frame, this.view, factor => {
      if (!this.reset) return;
      this.reset.hidden = factor === 1;
      this.reset.textContent = `${factor.toFixed(1)}×`;
    });
    if (options.zoom) this.lens.listen(signal);
    this.loud = this.#button('gbgate-loud', 'quiet', text.unmute, frame, () => { player.muted = false; });
    this.loud.append(text.unmute);
    this.start = this.#button('gbgate-start', 'play', text.play, frame, () => player.play());
    this.loud.hidden = this.start.hidden = true;
    if (options.controls) this.#addBar(player, options);
    frame.addEventListener('keydown', event => this.#key(event, player, options), { signal });
    frame.addEventListener('pointerdown', event => {
      if (event.pointerType === 'mouse') return;
      frame.classList.add('gbgate-touched');
      this.#touchedUntil = performance.now() + 4000;
    }, { signal });
    element.append(frame);
  }

  say(text, isNote) {
    if (this.saidNote === isNote && this.state.textContent === text) return;
    this.saidNote = isNote;
    this.state.textContent = text;
    this.state.hidden = !text;
    this.state.classList.toggle('gbgate-note', isNote);
  }

  tick(now) {
    if (this.#touchedUntil && now > this.#touchedUntil) {
      this.#touchedUntil = 0;
      this.frame.classList.remove('gbgate-touched');
    }
  }

  refresh(player) {
    if (!this.playButton) return;
    this.#label(this.playButton, player.isPaused ? 'play' : 'pause', player.isPaused ? this.text.play : this.text.pause);
    const isQuiet = player.muted || !player.volume;
    this.#label(this.muteButton, isQuiet ? 'quiet' : 'loud', isQuiet ? this.text.unmute : this.text.mute);
    this.volume.value = player.muted ? 0 : player.volume;
  }

  show(s) {
    const t = this.text;
    const number = (value, digits) => value.toFixed(digits);
    const lines = [
      [s.codecs.split(',').map(nameOf).join(' + '), `(${s.codecs})`],
      [`${s.width}×${s.height}`, `${number(s.fps, 1)} fps`, `${s.droppedFrames} ${t.dropped}`],
      [`${Math.round(s.bitrateKbits)} kbit/s`, s.transport],
      [`${number(s.latency, 2)} s`, `×${number(s.rate, 2)}`, `${t.first} ${s.firstPictureMs} ms`],
      [`${number(s.bufferSec, 1)} s`],
      [t.counts(s.reconnects, s.jumps, s.stalls)],
    ];
    this.table.textContent = lines.map((line, row) => `${t.rows[row]}: ${line.join('  ')}`).join('\n');
  }

  #addBar(player, options) {
    const t = this.text;
    const bar = this.bar = make('div', 'gbgate-bar', this.frame);
    this.playButton = this.#button('', 'pause', t.pause, bar, () => (player.isPaused ? player.play() : player.pause()));
    this.muteButton = this.#button('', 'quiet', t.unmute, bar, () => { player.muted = !player.muted; });
    this.volume = make('input', 'gbgate-volume', bar, { type: 'range', min: 0, max: 1, step: 0.05, 'aria-label': t.volume, title: t.volume });
    this.volume.addEventListener('input', () => {
      player.volume = Number(this.volume.value);
      player.muted = !player.volume;
    });
    if (!options.audio) this.muteButton.hidden = this.volume.hidden = true;
    make('span', 'gbgate-space', bar);
    this.reset = this.#button('', null, t.zoomReset, bar, () => player.zoom(1));
    this.reset.hidden = true;
    this.#button('', 'snapshot', t.snapshot, bar, () => player.saveSnapshot());
    this.#button('', 'statistics', t.statistics, bar, () => player.showStatistics(this.table.hidden));
    this.#button('', 'fullscreen', t.fullscreen, bar, () => player.fullscreen());
  }

  #button(name, icon, label, parent, act) {
    const button = make('button', `gbgate-button ${name}`, parent, { type: 'button' });
    this.#label(button, icon, label);
    button.addEventListener('click', act);
    // A double click on a control is not one on the picture.
    button.addEventListener('dblclick', event => event.stopPropagation());
    return button;
  }

  #label(button, icon, label) {
    if (button.title === label) return;
    button.title = label;
    button.setAttribute('aria-label', label);
    if (icon) draw(button, icon);
  }

  #key(event, player, { controls, zoom }) {
    if (event.ctrlKey || event.altKey || event.metaKey || !(controls || zoom)) return;
    const isControl = event.target !== this.frame;
    const { lens } = this;
    const pan = (x, y) => (lens.factor > 1 && !isControl ? () => lens.pan(x, y) : undefined);
    const act = {
      '+': () => lens.set(lens.factor * 1.25), '=': () => lens.set(lens.factor * 1.25), '-': () => lens.set(lens.factor / 1.25),
      0: () => lens.set(1),
      ArrowLeft: pan(40, 0), ArrowRight: pan(-40, 0), ArrowUp: pan(0, 40), ArrowDown: pan(0, -40),
      ...(controls && {
        ' ': isControl ? undefined : () => (player.isPaused ? player.play() : player.pause()),
        m: () => { player.muted = !player.muted; }, s: () => player.saveSnapshot(),
        i: () => player.showStatistics(this.table.hidden), f: () => player.fullscreen(),
      }),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }
}

export class Player extends EventTarget {
  static #tickMs = 250;
  #sources;
  #options;
  #stage;
  #video;
  #end = new AbortController();
  #timer;
  #reel;
  #past = 30;
  #disconnect;
  #state = '';
  #mode = 'live';
  #counts = { reconnects: 0, jumps: 0, stalls: 0 };
  #bytes = 0;
  #last = { bytes: 0, frames: 0, at: 0, fps: 0, bitrate: 0 };
  #ticks = 0;
  #begun = performance.now();
  #firstPicture = 0;
  #transport = '';
  #codecs = '';
  #unplayable = '';
  #openedAt = 0;
  #dataAt = 0;
  #messages = 0;
  #note = '';
  #readyAt = 0;
  #shortStallAt = -1e6;
  #isIdle = false;
  #isFresh = true;
  #freshUntil = 0;
  #settledAt = 0;
  #broken = 0;
  #lag = 0;
  #margin = 0;
  #stallAt = -1e6;
  #failures = 0;
  #idleLimit = 8000;
  #retryAt = 0;
  #retryText;
  #stillAt = 0;
  #stillURL;
  #saveURL;
  #frozen = { time: -1, ticks: 0 };
  #brokenAt = [];
  #withAudio;
  #everReceived = false;
  isPaused = false;

  constructor(element, url, options = {}) {
    super();
    this.#options = { latency: 0.4, muted: true, controls: true, statistics: false, language: 'en', audio: true, zoom: false, ...options };
    this.#withAudio = this.#options.audio;
    this.#sources = sourcesOf(url);
    const { signal } = this.#end;
    this.#stage = new Stage(this, element, this.#options, signal);
    const video = this.#video = this.#stage.video;
    video.muted = this.#options.muted || !this.#withAudio;
    const on = (target, type, act) => target.addEventListener(type, act, { signal });
    on(video, 'playing', () => {
      this.#noteStallEnd();
      this.#assess();
    });
    on(video, 'waiting', () => this.#noteStall());
    on(video, 'error', () => this.#decodingFailed());
    on(video, 'volumechange', () => this.#refresh());
    on(document, 'visibilitychange', () => this.#shown());
    on(globalThis, 'online', () => { if (this.#retryAt) this.#retryAt = 1; });
    this.#timer = setInterval(() => this.#tick(), Player.#tickMs);
    this.#refresh();
    // Not before the page had time to listen.
    queueMicrotask(() => { if (this.#mode === 'live' && !this.isPaused) this.#connect(); });
  }

  // What a page uses

  play() {
    this.isPaused = false;
    this.#stage.start.hidden = true;
    this.#refresh();
    this.#begin();
    if (!this.#disconnect && this.#mode === 'live') this.#connect();
  }

  /** Freezes the picture and ends the connection: play() goes on with what is live then. */
  pause() {
    this.isPaused = true;
    this.#drop();
    this.#retryAt = 0;
    this.#video.pause();
    this.#refresh();
    this.#enter('paused', this.#stage.text.paused);
  }

  get muted() { return this.#video.muted; }
  set muted(value) {
    this.#video.muted = value;
    this.#stage.loud.hidden = true;
    if (!value && !this.#video.volume) this.#video.volume = 1;
    this.#refresh();
  }

  get volume() { return this.#video.volume; }
  set volume(value) { this.#video.volume = Math.min(1, Math.max(0, value)); }

  get latency() { return this.#options.latency; }
  set latency(seconds) { this.#options.latency = Math.min(10, Math.max(0.05, Number(seconds) || 0.4)); }

  get statistics() {
    const video = this.#video;
    const { buffered } = video;
    const end = buffered.length ? buffered.end(buffered.length - 1) : 0;
    const isStill = this.#mode === 'still';
    return {
      state: this.#state, codecs: this.#codecs || this.#unplayable,
      width: isStill ? this.#stage.still.naturalWidth : video.videoWidth,
      height: isStill ? this.#stage.still.naturalHeight : video.videoHeight,
      fps: this.#last.fps, droppedFrames: video.getVideoPlaybackQuality?.().droppedVideoFrames ?? 0,
      latency: buffered.length ? Math.max(0, end - video.currentTime) : 0, bufferSec: buffered.length ? end - buffered.start(0) : 0,
      rate: video.playbackRate, bitrateKbits: this.#last.bitrate, ...this.#counts, transport: this.#transport,
      firstPictureMs: this.#firstPicture, audio: this.#codecs.split(',').some(codec => codec && !isPicture(codec)),
    };
  }

  async snapshot() {
    const picture = this.#mode === 'still' ? this.#stage.still : this.#video;
    const canvas = document.createElement('canvas');
    canvas.width = picture.videoWidth ?? picture.naturalWidth;
    canvas.height = picture.videoHeight ?? picture.naturalHeight;
    if (!canvas.width) throw new Error('there is no picture yet');
    canvas.getContext('2d').drawImage(picture, 0, 0);
    return new Promise((done, fail) => {
      canvas.toBlob(blob => (blob ? done(blob) : fail(new Error('the picture could not be encoded'))), 'image/png');
    });
  }

  /** Downloads what is seen as NAME-TIME.png. */
  async saveSnapshot() {
    const blob = await this.snapshot().catch(() => null);
    if (!blob) return;
    URL.revokeObjectURL(this.#saveURL);
    this.#saveURL = URL.createObjectURL(blob);
    const path = new URL(this.#sources.ws ?? location.href).pathname;
    const name = decodeURIComponent(path.slice(path.lastIndexOf('/') + 1)).replace(/\.\w+$/, '');
    const link = document.createElement('a');
    link.href = this.#saveURL;
    link.download = `${name || 'picture'}-${new Date().toISOString().slice(0, 19).replace(/[T:]/g, '-')}.png`;
    link.click();
  }

  fullscreen() {
    const { frame } = this.#stage;
    if (document.fullscreenElement === frame) return document.exitFullscreen();
    if (frame.requestFullscreen) return frame.requestFullscreen().catch(() => {});
    this.#video.webkitEnterFullscreen?.();
  }

  /** Digital zoom, 1 to 8; x and y (0 to 1) say which point stays where it is. */
  zoom(factor, x, y) { this.#stage.lens.set(factor, x, y); }

  showStatistics(isShown) {
    this.#stage.table.hidden = !isShown;
    if (isShown) this.#stage.show(this.statistics);
  }

  close() {
    clearInterval(this.#timer);
    this.#end.abort();
    this.#drop();
    this.#reel?.close();
    this.#reel = undefined;
    this.#mode = 'closed';
    for (const url of [this.#stillURL, this.#saveURL]) if (url) URL.revokeObjectURL(url);
    if (document.fullscreenElement === this.#stage.frame) document.exitFullscreen();
    this.#stage.frame.remove();
  }

  // Connection

  #connect() {
    this.#drop();
    this.#retryAt = 0;
    this.#messages = 0;
    this.#openedAt = 0;
    if (!this.#isIdle) this.#enter('connecting', this.#stage.text.connecting);
    // Who heard that may have closed the player.
    if (this.#mode === 'closed') return;
    const { hls } = this.#sources;
    const playsHLS = hls && this.#video.canPlayType('application/vnd.apple.mpegurl');
    if (!Source) return playsHLS ? this.#playHLS(hls) : this.#giveUp(this.#stage.text.noPlayback);
    // Where a proxy lets neither form through, whole segments may come.
    if (playsHLS && !this.#everReceived && this.#failures % 4 === 3) return this.#playHLS(hls);
    const url = form => form && (this.#withAudio ? form : form + (form.includes('?') ? '&' : '?') + 'audio=0');
    const events = closed => ({
      opened: transport => { this.#opened(transport); },
      described: description => this.#described(description),
      received: bytes => this.#received(bytes),
      closed,
    });
    const byHTTP = () => { this.#disconnect = openFetch(url(this.#sources.http), events(end => this.#closed(end))); };
    try {
      // Only HTTP tells why a stream is refused.
      this.#disconnect = openSocket(url(this.#sources.ws), events(end => (end.opened ? this.#closed(end) : byHTTP())));
    } catch {
      byHTTP();
    }
  }

  #opened(transport) {
    this.#transport = transport;
    this.#openedAt = performance.now();
    if (!this.#isIdle) this.#dataAt = this.#openedAt;
    this.#isFresh = true;
    this.#freshUntil = 0;
  }

  #described({ codecs = '', omitted = [] }) {
    const list = codecs.split(',').filter(Boolean);
    const picture = list.find(isPicture);
    if (!picture && omitted.some(name => !/^(PCM|G7|AAC|MP3|OPUS|MP2|SVAC-?A|AUDIO)/i.test(name))) {
      // Its parameters may only be late: then another text follows.
      this.#unplayable = omitted.join(', ');
    }
    const type = `video/mp4; codecs="${codecs}"`;
    const isOK = form => Source.isTypeSupported(form);
    if (!isOK(type)) {
      if (picture && this.#withAudio && isOK(`video/mp4; codecs="${picture}"`)) {
        this.#withAudio = false;
        return this.#connect();
      }
      const bad = list.find(codec => !isOK(`video/mp4; codecs="${codec}"`)) ?? codecs;
      return this.#refuse(bad);
    }
    this.#codecs = codecs;
    if (!this.#reel) this.#newReel();
    else if (!this.#messages) this.#reel.restart();
    this.#reel.describe(type);
  }

  #received(bytes) {
    if (!this.#reel || !this.#codecs) return;
    this.#bytes += bytes.byteLength;
    this.#messages += 1;
    // The first burst of a stream that had been silent is old.
    if (this.#messages > 1) this.#isIdle = false;
    if (!this.#isIdle) this.#dataAt = performance.now();
    this.#everReceived = true;
    this.#reel.isFramed = this.#transport === 'ws' && this.#messages > 1;
    this.#reel.append(bytes);
  }

  #closed({ status, code, reason = '' }) {
    this.#disconnect = undefined;
    const t = this.#stage.text;
    if (code === 1008) {
      const codec = /codec is now ([\w.-]+)/.exec(reason)?.[1];
      return codec ? this.#giveUp(t.carry(codec)) : this.#enter('ended', t.ended(reason));
    }
    if (status === 415) return this.#giveUp(reason);
    const text = status === 404 || code === 1001 ? t.noStream : status === 401 || status === 403 ? t.forbidden : status ? reason : '';
    this.#retryLater(text);
  }

  /** 0.5 s to 10 s, a fifth more or less, so that a wall of players does not come back all at once. */
  #retryLater(text = '') {
    if (this.#openedAt && this.#messages && performance.now() - this.#openedAt > 5000) this.#failures = 0;
    this.#drop();
    this.#isIdle = false;
    const delay = Math.min(10000, 500 * 2 ** this.#failures) * (0.8 + Math.random() * 0.4);
    this.#failures += 1;
    this.#counts.reconnects += 1;
    this.#retryAt = performance.now() + delay;
    this.#retryText = text;
    this.#countDown(performance.now());
  }

  #countDown(now) {
    const seconds = Math.ceil((this.#retryAt - now) / 1000);
    const t = this.#stage.text;
    if (this.#retryText) this.#enter(this.#retryText === t.noStream ? 'waiting' : 'error', t.refused(this.#retryText, seconds));
    else this.#enter('error', t.gone(seconds));
  }

  #drop() {
    this.#disconnect?.();
    this.#disconnect = undefined;
  }

  // What cannot be played

  #refuse(codec) {
    this.#unplayable = codec;
    this.#codecs = '';
    const name = `${nameOf(codec)} (${codec})`;
    const { sub } = this.#sources;
    if (sub) {
      this.#sources = { ...this.#sources, ...sourcesOf(sub), sub: undefined };
      this.#note = this.#stage.text.sub(name);
      return this.#connect();
    }
    this.#giveUp(this.#stage.text.codec(name));
  }

  #giveUp(text) {
    this.#drop();
    this.#reel?.close();
    this.#reel = undefined;
    const t = this.#stage.text;
    this.#mode = this.#sources.still ? 'still' : 'none';
    this.#refusal = text;
    this.#enter('unsupported', this.#sources.still ? `${text}: ${t.still}` : text);
    this.#stillAt = 1;
    this.#recheckAt = performance.now() + 30000;
  }

  #refusal = '';
  #recheckAt = 0;

  async #loadStill() {
    this.#stillAt = 0;
    const t = this.#stage.text;
    const url = new URL(this.#sources.still, location.href);
    url.searchParams.set('_', Date.now());
    let text = `${this.#refusal}: ${t.still}`;
    let isLoaded = false;
    try {
      const response = await fetch(url, { signal: this.#end.signal });
      const blob = await response.blob();
      if (response.ok && blob.type.startsWith('image/')) {
        URL.revokeObjectURL(this.#stillURL);
        this.#stillURL = this.#stage.still.src = URL.createObjectURL(blob);
        await this.#stage.still.decode();
        isLoaded = true;
      }
    } catch { /* said below */ }
    if (this.#mode !== 'still') return;
    if (!isLoaded) text = `${this.#refusal}: ${t.noStill}`;
    else if (!this.#firstPicture) this.#firstPicture = Math.round(performance.now() - this.#begun);
    this.#transport = 'still';
    this.#stage.still.hidden = !isLoaded;
    this.#video.hidden = isLoaded;
    this.#enter('unsupported', text, isLoaded);
    this.#stillAt = performance.now() + (isLoaded ? 2000 : 5000);
  }

  #leaveStill() {
    this.#mode = 'live';
    this.#stage.still.hidden = true;
    this.#video.hidden = false;
  }

  #playHLS(url) {
    this.#reel?.close();
    this.#reel = undefined;
    this.#transport = 'hls';
    this.#mode = 'hls';
    this.#video.src = url;
    this.#disconnect = () => {
      this.#mode = 'live';
      this.#video.removeAttribute('src');
      this.#video.load();
    };
    this.#begin();
  }

  // Picture

  #newReel() {
    this.#reel?.close();
    const reel = this.#reel = new Reel(this.#video, this.#past, {
      appended: () => { if (reel === this.#reel) this.#follow(); },
      failed: () => { if (reel === this.#reel) this.#beginAnew(); },
    });
    if (!this.#firstPicture) {
      const seen = () => { this.#firstPicture ||= Math.round(performance.now() - this.#begun); };
      if (this.#video.requestVideoFrameCallback) this.#video.requestVideoFrameCallback(seen);
      else this.#video.addEventListener('playing', seen, { once: true });
    }
    this.#begin();
  }

  async #begin() {
    if (this.isPaused) return;
    const video = this.#video;
    try {
      await video.play();
    } catch (error) {
      if (error.name !== 'NotAllowedError' || this.isPaused) return;
      if (video.muted) {
        this.#stage.start.hidden = false;
        return;
      }
      video.muted = true;
      this.#stage.loud.hidden = false;
      this.dispatchEvent(new CustomEvent('muted'));
      this.#begin();
    }
  }

  /** Keeps the picture as close to the newest data as was asked for. Called after each append. */
  #follow() {
    const video = this.#video;
    const { buffered } = video;
    const last = buffered.length - 1;
    if (last < 0) return;
    const now = performance.now();
    const edge = buffered.end(last);
    const time = video.currentTime;
    const target = this.#options.latency + this.#margin;
    if (this.#isFresh) {
      this.#isFresh = false;
      this.#freshUntil = now + 700;
      return this.#seek(edge - target);
    }
    if (this.#state !== 'playing') this.#assess();
    if (video.seeking) return;
    const lag = edge - time;
    const isInside = index => time > buffered.start(index) - 0.02 && time < buffered.end(index) - 0.05;
    let isCovered = false;
    for (let index = 0; index <= last; index++) isCovered ||= isInside(index);
    const isBroken = lag < -0.1 || lag > 2.5 || (!isCovered && (last > 0 || time < buffered.start(0)));
    // The beginning comes in pieces over HTTP; after an interruption a jump is not seen.
    const isLate = lag > target + 0.3 && (this.#state === 'stalled' || (this.#transport === 'http' && now < this.#freshUntil));
    // Behind a hole there has to be something to play from.
    if (isBroken && last > 0 && lag > 0 && lag < 2.5 && edge - buffered.start(last) < target * 0.7) return;
    // After a hole a frame may claim a length that the next one cuts.
    this.#broken = isBroken ? this.#broken + 1 : 0;
    if (this.#broken === 1) return;
    if (isBroken || isLate) {
      if (isBroken) this.#counts.jumps += 1;
      return this.#seek(edge - target);
    }
    this.#lag += (lag - this.#lag) * 0.2;
    const excess = this.#lag - target;
    const rate = video.playbackRate;
    let next = 1;
    if (excess > 0.06 || (rate > 1 && excess > 0)) next = Math.min(1.5, 1 + 0.4 * excess);
    else if (this.#lag < target * 0.5 || (rate < 1 && this.#lag < target * 0.8)) next = 0.95;
    if (next !== rate && (next === 1 || rate === 1 || Math.abs(next - rate) > 0.02)) video.playbackRate = next;
  }

  #seek(time) {
    const { buffered } = this.#video;
    this.#broken = 0;
    this.#video.currentTime = Math.max(time, buffered.start(buffered.length - 1));
    this.#lag = this.#options.latency + this.#margin;
    this.#settledAt = performance.now() + 2000;
    if (this.#video.playbackRate !== 1) this.#video.playbackRate = 1;
  }

  #noteStall() {
    const now = performance.now();
    if (this.#state !== 'playing' || document.hidden || this.#video.seeking || now < this.#settledAt) return;
    this.#counts.stalls += 1;
    this.#stallAt = now;
  }

  /** A line that stalls again and again for a moment gets more buffer, for as long as it does. */
  #noteStallEnd() {
    const at = this.#stallAt;
    if (performance.now() - at > 1000 || at === this.#shortStallAt) return;
    if (at - this.#shortStallAt < 10000) this.#margin = Math.min(1.5, this.#margin + 0.2);
    this.#shortStallAt = at;
  }

  #shown() {
    if (document.hidden) return;
    if (this.#retryAt) this.#retryAt = 1;
    if (this.isPaused || !this.#reel) return;
    const { buffered } = this.#video;
    if (buffered.length && buffered.end(buffered.length - 1) - this.#video.currentTime > this.#options.latency + 0.3) {
      this.#seek(buffered.end(buffered.length - 1) - this.#options.latency);
    }
    this.#begin();
  }

  #beginAnew() {
    this.#past = this.#reel?.past ?? this.#past;
    this.#reel?.close();
    this.#reel = undefined;
    this.#retryLater(this.#stage.text.buffering);
  }

  #decodingFailed() {
    if (this.#mode === 'closed' || !this.#video.error) return;
    if (this.#mode === 'hls') {
      this.#drop();
      return Source ? this.#retryLater() : this.#giveUp(this.#stage.text.noPlayback);
    }
    const now = performance.now();
    this.#brokenAt = [...this.#brokenAt.filter(at => now - at < 30000), now];
    // What is supported by name and fails again and again is not.
    if (this.#brokenAt.length > 3) return this.#refuse(this.#codecs.split(',')[0]);
    this.#beginAnew();
  }

  // State

  #tick() {
    const now = performance.now();
    this.#ticks += 1;
    this.#stage.tick(now);
    if (this.#ticks % 4 === 0) this.#measure(now);
    if (this.#mode === 'still' || this.#mode === 'none') {
      if (this.#mode === 'still' && this.#stillAt && now > this.#stillAt && !document.hidden && !this.isPaused) this.#loadStill();
      if (now > this.#recheckAt && !document.hidden && !this.isPaused) {
        this.#recheckAt = now + 30000;
        this.#leaveStill();
        this.#connect();
      }
      return;
    }
    if (this.isPaused) return;
    if (this.#retryAt) return now >= this.#retryAt ? this.#connect() : this.#countDown(now);
    if (this.#mode !== 'live' || !this.#openedAt) return;
    this.#watch(now);
    this.#assess(now);
  }

  #watch(now) {
    if (now - this.#stallAt > 10000) this.#margin = Math.max(0, this.#margin - 0.01);
    const video = this.#video;
    if (now - Math.max(this.#dataAt, this.#openedAt) > this.#idleLimit) {
      // The connection may be dead without a word. One that is not costs little, less and less often.
      this.#idleLimit = Math.min(60000, this.#idleLimit * 2);
      this.#isIdle = true;
      this.#counts.reconnects += 1;
      return this.#connect();
    }
    if (this.#messages > 3) this.#idleLimit = 8000;
    const isStuck = video.currentTime === this.#frozen.time && video.readyState >= 2 && now - this.#dataAt < 1000 && !document.hidden;
    this.#frozen = { time: video.currentTime, ticks: isStuck ? this.#frozen.ticks + 1 : 0 };
    if (!isStuck || !this.#stage.start.hidden) return;
    if (video.paused) this.#begin();
    else if (this.#frozen.ticks === 6) this.#isFresh = true;
    else if (this.#frozen.ticks === 14) this.#beginAnew();
  }

  #assess(now = performance.now()) {
    if (this.isPaused || this.#mode === 'closed') return;
    const t = this.#stage.text;
    const video = this.#video;
    if (this.#mode === 'hls') {
      if (video.readyState >= 3) this.#enter('playing', '');
      return;
    }
    if (this.#mode !== 'live' || this.#retryAt || !this.#openedAt) return;
    const silence = now - this.#dataAt;
    if (video.readyState >= 3) this.#readyAt = now;
    // Only what comes after the first burst proves that it is not an old picture.
    if (this.#messages > 1 && video.readyState >= 3 && silence < 3000) {
      const hasPicture = this.#codecs.split(',').some(isPicture);
      return this.#enter('playing', hasPicture ? this.#note : t.soundOnly, hasPicture);
    }
    if (!this.#messages) {
      if (now - this.#openedAt > 1000) this.#enter('waiting', this.#unplayable ? t.carry(this.#unplayable) : t.noStream);
    } else if (silence > 3000) {
      this.#enter('stalled', t.noData(Math.round(silence / 1000)));
    } else if (this.#state === 'playing') {
      if (now - this.#readyAt > 600) this.#enter('stalled', t.buffering);
    } else if (this.#state !== 'stalled' && now - this.#openedAt > 1000) {
      this.#enter('waiting', t.keyFrame);
    }
  }

  #enter(state, text, isNote = false) {
    const isNews = state !== this.#state || text !== this.#stage.state.textContent;
    this.#state = state;
    this.#stage.say(text, isNote);
    if (!isNews) return;
    this.dispatchEvent(new CustomEvent('state', { detail: { state, text } }));
  }

  #measure(now) {
    const frames = this.#video.getVideoPlaybackQuality?.();
    const shown = frames ? frames.totalVideoFrames - frames.droppedVideoFrames : 0;
    const seconds = (now - this.#last.at) / 1000;
    this.#last = {
      bytes: this.#bytes, frames: shown, at: now,
      fps: Math.max(0, shown - this.#last.frames) / seconds, bitrate: (this.#bytes - this.#last.bytes) / 125 / seconds,
    };
    const { statistics } = this;
    if (!this.#stage.table.hidden) this.#stage.show(statistics);
    this.dispatchEvent(new CustomEvent('statistics', { detail: statistics }));
  }

  #refresh() { this.#stage.refresh(this); }
}

#!/usr/bin/env bash
# Measures the release binary on loopback, and nginx-rtmp beside it. Usage: scripts/bench.sh SCENARIO…
#   fanout       one stream to 1,000 viewers (or VIEWERS) over HTTP-FLV, WebSocket-FLV and RTMP, next to nginx-rtmp
#   one          one viewer's lag
#   stall        1,000 viewers of which 100 never read
#   streams      200 streams x 5 viewers
#   hundred      100 streams x 10 viewers, next to nginx-rtmp
#   rtsp         500 readers over RTSP (TCP) of one stream, and 50 streams x 10, next to HTTP-FLV
#   frames       500 viewers over HTTP-FLV, -TS, -fMP4 and WebSocket-fMP4 in turn, and 50 streams x 10
#   hls          1,000 HLS viewers of one stream from memory, next to nginx with the same segments as static files
#   llhls        lag of Low-Latency HLS with parts of 200 ms
#   publish      20 and 100 publishers without a viewer, next to nginx-rtmp
#   ingest       300 cameras: UDP ports, one UDP port, TCP ports
#   signalling   10,000 devices register and send six keepalives in a minute
# AVLOAD names the load generator, CLIP an H.264 clip of 2 Mbit/s; nginx-rtmp is Debian's libnginx-mod-rtmp.
# VIEWERS and TIME, in seconds, make a run smaller or longer: figures are for the defaults.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${AVLOAD:?path of avload}" "${CLIP:?path of the clip}"
BINARY=${BINARY:-.build/release/gbgate}
WINDOW=${WINDOW:-40}
WORK=$(mktemp -d)
PIDS=()
cleanup() {
    for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$WORK"
}
trap cleanup EXIT
ulimit -n "$(ulimit -Hn)"

gateway() { # gateway MERGE_WINDOW_MS [more JSON members of gb28181]
    cat >"$WORK/conf.json" <<JSON
{ merge_window_ms: $1,
  rtmp: { enable: true, addr: "127.0.0.1:11935" }, rtsp: { enable: true, addr: "127.0.0.1:15544" },
  default_http: { http_listen_addr: "127.0.0.1:18080" }, httpflv: { enable: true, url_pattern: "/" },
  http_api: { enable: true, addr: "127.0.0.1:18083" },
  gb28181: { enable: true, local_sip_ip: "127.0.0.1", local_sip_port: 15060,
             sip_rtp_port_min: 31000, sip_rtp_port_max: 33000 ${2:-} },
  store: { path: "$WORK/store.sqlite" },
  log: { level: 2, filename: "", is_to_stdout: true } }
JSON
    "$BINARY" serve -c "$WORK/conf.json" >"$WORK/gateway.log" 2>&1 &
    SERVER=$!
    PIDS+=("$SERVER")
    for _ in $(seq 100); do
        curl -fs http://127.0.0.1:18083/api/stat/lal_info >/dev/null && return
        sleep 0.1
    done
    cat "$WORK/gateway.log" >&2
    exit 1
}

nginx_rtmp() {
    cat >"$WORK/nginx.conf" <<NGINX
load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
daemon off; worker_processes 1; pid $WORK/nginx.pid; error_log $WORK/nginx.log;
events { worker_connections 8192; }
rtmp { server { listen 127.0.0.1:19350; application live { live on; } } }
NGINX
    nginx -c "$WORK/nginx.conf" &
    PIDS+=("$!")
    sleep 1
    SERVER=$(pgrep -P "${PIDS[-1]}")
}

# One worker that serves $WORK/www as nginx serves files best: sendfile, and the head with the first bytes.
nginx_files() {
    cat >"$WORK/nginx.conf" <<NGINX
user $(id -un) $(id -gn);
daemon off; worker_processes 1; pid $WORK/nginx.pid; error_log $WORK/nginx.log;
events { worker_connections 8192; }
http {
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000; keepalive_timeout 75;
    types { application/vnd.apple.mpegurl m3u8; video/mp2t ts; }
    server { listen 127.0.0.1:18090 backlog=4096; root $WORK/www; }
}
NGINX
    nginx -c "$WORK/nginx.conf" 2>/dev/null &
    PIDS+=("$!")
    sleep 1
    SERVER=$(pgrep -P "${PIDS[-1]}")
}

stop() { # what was started last
    kill "${PIDS[-1]}" 2>/dev/null || true
    wait "${PIDS[-1]}" 2>/dev/null || true
    unset 'PIDS[-1]'
}

start_publishers() { # start_publishers URL COUNT SECONDS
    "$AVLOAD" pub --url "$1" -n "$2" -t "$3" --h264 "$CLIP" --audio >"$WORK/pub.json" 2>/dev/null &
    PIDS+=("$!")
    sleep 3
}

view() { # view NAME URL COUNT [more options]
    local name=$1 url=$2 count=$3
    shift 3
    {
        printf '%-26s ' "$name"
        "$AVLOAD" sub --url "$url" -n "$count" -t "${TIME:-10}" --pid "$SERVER" "$@" 2>/dev/null
    } | tee -a "$WORK/rows"
}

# The rows since the last comparison: means of those with the same name, beside the row BASE. A row IDLE, measured without viewers,
# is what the server uses for itself: it is taken off the others of its server, whose names begin with the same word.
compare() { # compare BASE [IDLE]
    python3 - "$WORK/rows" "$@" <<'PYTHON'
import json, sys
path, base, idle = (sys.argv + [""])[1:4]
rows = {}
for line in open(path):
    name, _, figures = line.partition("{")
    rows.setdefault(name.strip(), []).append(json.loads("{" + figures))
def mean(name, value):
    return sum(value(r) for r in rows[name]) / len(rows[name])
def cost(r): return r["server_cpu_s"] / r["gbytes"]
own = mean(idle, lambda r: r["server_cpu_s"] / r["secs"]) if idle else 0
for name in rows:
    if not rows[name][0]["viewers"]: continue
    result = {
        "cpu_s_per_gb": round(mean(name, cost), 3), "of": base, "ratio": round(mean(name, cost) / mean(base, cost), 3),
        "cpu_ms_per_s_and_viewer": round(mean(name, lambda r: 1000 * r["server_cpu_s"] / r["secs"] / r["viewers"]), 4)}
    if idle and name.split()[0] == idle.split()[0]:
        serving = mean(name, lambda r: (r["server_cpu_s"] - own * r["secs"]) / r["gbytes"])
        result |= {"serving_cpu_s_per_gb": round(serving, 3), "serving_ratio": round(serving / mean(base, cost), 3)}
    print(f"{'= ' + name:26}", json.dumps(result))
PYTHON
    rm "$WORK/rows"
}

publishers() { # publishers NAME URL COUNT
    printf '%-26s ' "$1, $3 publishers"
    "$AVLOAD" pub --url "$2" -n "$3" -t "${TIME:-20}" --h264 "$CLIP" --audio --pid "$SERVER" 2>/dev/null |
        python3 -c '
import json, sys
r = json.load(sys.stdin)
per = 1000 * r["server_cpu_s"] / r["secs"] / r["publishers"]
print(json.dumps({"cpu_ms_per_s_and_publisher": round(per, 3), "lost": r["lost"], "rss_mb": r["rss_mb"]}))'
}

fanout() {
    local viewers=${VIEWERS:-1000} window
    nginx_rtmp
    start_publishers "rtmp://127.0.0.1:19350/live/a_%d" 1 60
    view "nginx-rtmp" rtmp://127.0.0.1:19350/live/a_0 "$viewers"
    stop
    stop
    for window in "$WINDOW" 350; do
        gateway "$window"
        start_publishers "rtmp://127.0.0.1:11935/live/a_%d" 1 120
        view "HTTP-FLV $window ms" http://127.0.0.1:18080/live/a_0.flv "$viewers"
        view "WebSocket-FLV $window ms" ws://127.0.0.1:18080/live/a_0.flv "$viewers"
        view "RTMP $window ms" rtmp://127.0.0.1:11935/live/a_0 "$viewers"
        stop
        stop
    done
}

one() {
    gateway "$WINDOW"
    start_publishers "rtmp://127.0.0.1:11935/live/a_%d" 1 60
    view "one HTTP-FLV viewer" http://127.0.0.1:18080/live/a_0.flv 1
    view "one RTMP viewer" rtmp://127.0.0.1:11935/live/a_0 1
    stop
    stop
}

stall() {
    gateway "$WINDOW"
    start_publishers "rtmp://127.0.0.1:11935/live/a_%d" 1 90
    view "900 viewers" http://127.0.0.1:18080/live/a_0.flv 900
    view "900, 100 more stalled" http://127.0.0.1:18080/live/a_0.flv 1000 --stall 100
    stop
    stop
}

many() { # many STREAMS VIEWERS_EACH
    local streams=$1 viewers=$(($1 * $2))
    nginx_rtmp
    start_publishers "rtmp://127.0.0.1:19350/live/a_%d" "$streams" 60
    view "nginx-rtmp $1 x $2" "rtmp://127.0.0.1:19350/live/a_%d" "$viewers" --streams "$streams"
    stop
    stop
    gateway "$WINDOW"
    start_publishers "rtmp://127.0.0.1:11935/live/a_%d" "$streams" 90
    view "RTMP $1 x $2" "rtmp://127.0.0.1:11935/live/a_%d" "$viewers" --streams "$streams"
    view "HTTP-FLV $1 x $2" "http://127.0.0.1:18080/live/a_%d.flv" "$viewers" --streams "$streams"
    stop
    stop
}

rtsp() {
    gateway "$WINDOW"
    start_publishers "rtmp://127.0.0.1:11935/live/a_%d" 1 120
    view "HTTP-FLV 1 x 500" http://127.0.0.1:18080/live/a_0.flv 500
    view "RTSP 1 x 500" rtsp://127.0.0.1:15544/live/a_0 500
    view "HTTP-FLV 1 x 500" http://127.0.0.1:18080/live/a_0.flv 500
    view "RTSP 1 x 500" rtsp://127.0.0.1:15544/live/a_0 500
    stop
    start_publishers "rtmp://127.0.0.1:11935/live/a_%d" 50 120
    view "HTTP-FLV 50 x 10" "http://127.0.0.1:18080/live/a_%d.flv" 500 --streams 50
    view "RTSP 50 x 10" "rtsp://127.0.0.1:15544/live/a_%d" 500 --streams 50
    view "HTTP-FLV 50 x 10" "http://127.0.0.1:18080/live/a_%d.flv" 500 --streams 50
    view "RTSP 50 x 10" "rtsp://127.0.0.1:15544/live/a_%d" 500 --streams 50
    stop
    stop
}

frames() {
    local viewers=${VIEWERS:-500} streams=50 form
    gateway "$WINDOW"
    start_publishers "rtmp://127.0.0.1:11935/live/a_%d" 1 240
    rm -f "$WORK/rows"
    for _ in 1 2; do
        view "HTTP-FLV 1 x $viewers" http://127.0.0.1:18080/live/a_0.flv "$viewers"
        view "HTTP-TS 1 x $viewers" http://127.0.0.1:18080/live/a_0.ts "$viewers"
        view "HTTP-fMP4 1 x $viewers" http://127.0.0.1:18080/live/a_0.mp4 "$viewers"
        view "WebSocket-fMP4 1 x $viewers" ws://127.0.0.1:18080/live/a_0.mp4 "$viewers"
    done
    compare "HTTP-FLV 1 x $viewers"
    stop
    start_publishers "rtmp://127.0.0.1:11935/live/a_%d" "$streams" 240
    for _ in 1 2; do
        for form in FLV:flv TS:ts fMP4:mp4; do
            view "HTTP-${form%:*} $streams x 10" "http://127.0.0.1:18080/live/a_%d.${form#*:}" $((streams * 10)) --streams "$streams"
        done
    done
    compare "HTTP-FLV $streams x 10"
    stop
    stop
}

# Copies what is new of the live playlist at URL into $WORK/www, segments before the playlist that lists them.
mirror() { # mirror URL
    local url=$1 segment
    cd "$WORK/www"
    while sleep 0.5; do
        curl -fsm 5 -A mirror -o new "$url" || continue
        cmp -s new playlist.m3u8 && continue
        while read -r segment; do
            [[ -e $segment ]] || { curl -fsm 5 -A mirror -o part "${url%/*}/$segment" && mv part "$segment"; } || continue 2
        done < <(grep -v -e '^#' -e '^$' new)
        mv new playlist.m3u8
        find . -name '*.ts' -mmin +2 -delete
    done
}

view_hls() { # view_hls NAME URL COUNT
    {
        printf '%-26s ' "$1"
        "$WORK/hlsload" --url "$2" --n "$3" --secs "${TIME:-24}" --pid "$SERVER"
    } | tee -a "$WORK/rows"
}

# One gateway and one nginx for all rows, and the same segments. The gateway's rows hold what receiving and cutting the stream cost
# it, nginx gets its files for nothing: the rows without viewers tell that apart.
hls() {
    local viewers=${VIEWERS:-1000} own peer static=http://127.0.0.1:18090/playlist.m3u8
    local live=http://127.0.0.1:18080/hls/a_0/playlist.m3u8
    cc -O2 -o "$WORK/hlsload" scripts/hlsload.c
    mkdir -p "$WORK/www"
    chmod 755 "$WORK"
    gateway "$WINDOW"
    own=$SERVER
    start_publishers "rtmp://127.0.0.1:11935/live/a_%d" 1 600
    rm -f "$WORK/rows"
    view_hls "gbgate stream alone" "" 0
    # Cutting begins with the first request and ends 30 s after the last: TIME is at most 30 here.
    curl -fsm 30 "$live" >/dev/null
    view_hls "gbgate 0 viewers" "" 0
    mirror "$live" &
    PIDS+=("$!")
    nginx_files
    peer=$SERVER
    for _ in $(seq 100); do
        curl -fs "$static" >/dev/null && break
        sleep 0.1
    done
    for _ in 1 2; do
        SERVER=$own view_hls "gbgate 1 x $viewers" "$live" "$viewers"
        SERVER=$peer view_hls "nginx 1 x $viewers" "$static" "$viewers"
    done
    compare "nginx 1 x $viewers" "gbgate 0 viewers"
    stop
    stop
    stop
    stop
}

llhls() {
    gateway "$WINDOW"
    start_publishers "rtmp://127.0.0.1:11935/live/a_%d" 1 120
    # The first request begins the cutting: the client comes in when there is a playlist.
    curl -fsm 30 http://127.0.0.1:18080/hls/a_0/ll.m3u8 >/dev/null
    printf '%-26s ' "Low-Latency HLS"
    python3 scripts/lllag.py http://127.0.0.1:18080/hls/a_0/ll.m3u8 "${TIME:-40}"
    stop
    stop
}

streams() { many 200 5; }
hundred() { many 100 10; }

publish() {
    local count
    for count in 20 100; do
        nginx_rtmp
        publishers "nginx-rtmp" "rtmp://127.0.0.1:19350/live/a_%d" "$count"
        stop
        gateway "$WINDOW"
        publishers "RTMP" "rtmp://127.0.0.1:11935/live/a_%d" "$count"
        stop
    done
}

open_ports() { # open_ports COUNT IS_TCP: one port a stream, "port ssrc" lines into ports.txt
    : >"$WORK/ports.txt"
    for i in $(seq "$1"); do
        curl -fs http://127.0.0.1:18083/api/ctrl/start_rtp_pub \
            -d "{\"stream_name\":\"cam$i\",\"is_tcp_flag\":$2}" -w '\n' |
            sed -E "s/.*\"port\":([0-9]+).*/\1 $i/" >>"$WORK/ports.txt"
    done
}

cameras() { # cameras NAME PORT [more options]
    local name=$1 port=$2
    shift 2
    printf '%-26s ' "$name"
    "$AVLOAD" cam --to "127.0.0.1:$port" -n 300 -t 20 --h264 "$CLIP" --pid "$SERVER" "$@" 2>/dev/null
    curl -fs http://127.0.0.1:18083/api/stat/all_group | python3 -c '
import json, sys
groups = json.load(sys.stdin)["data"]["groups"] or []
rtp = [g["pub"].get("rtp") or {} for g in groups]
print(" " * 26, json.dumps({k: sum(r.get(k, 0) for r in rtp) for k in ("packets", "lost", "rejected", "kernel_drops")} | {"streams": len(groups)}))'
}

ingest() {
    gateway "$WINDOW"
    open_ports 300 0
    cameras "300 UDP, a port each" 31000 --ports "$WORK/ports.txt"
    stop
    gateway "$WINDOW"
    open_ports 300 1
    cameras "300 TCP, a port each" 31000 --ports "$WORK/ports.txt" --tcp
    stop
    gateway "$WINDOW" ", rtp_single_port: 31998"
    for i in $(seq 300); do
        curl -fs http://127.0.0.1:18083/api/ctrl/start_rtp_pub \
            -d "{\"stream_name\":\"cam$i\",\"port\":31998,\"ssrc\":\"$i\"}" >/dev/null
    done
    cameras "300 UDP, one port" 31998 --port-step 0
    stop
}

signalling() {
    gateway "$WINDOW"
    "$BINARY" simulate --server 127.0.0.1:15060 --count 10000 --duration 60 --keepalive 10 --signalling-only
    printf '%-26s ' gateway
    awk '{print "cpu_s", ($14 + $15) / 100}' "/proc/$SERVER/stat"
    grep VmRSS "/proc/$SERVER/status"
    stop
}

for scenario in "$@"; do
    "$scenario"
done

#!/usr/bin/env bash
# Measures the release binary on loopback, and nginx-rtmp beside it. Usage: scripts/bench.sh SCENARIO…
#   fanout       one stream to 1,000 viewers (or VIEWERS) over HTTP-FLV, WebSocket-FLV and RTMP, next to nginx-rtmp
#   one          one viewer's lag
#   stall        1,000 viewers of which 100 never read
#   streams      200 streams x 5 viewers
#   ingest       300 cameras: UDP ports, one UDP port, TCP ports
#   signalling   10,000 devices register and send six keepalives in a minute
# AVLOAD names the load generator, CLIP an H.264 clip of 2 Mbit/s; nginx-rtmp is Debian's libnginx-mod-rtmp.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${AVLOAD:?path of avload}" "${CLIP:?path of the clip}"
BINARY=${BINARY:-.build/release/gbgate}
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
  rtmp: { enable: true, addr: "127.0.0.1:11935" },
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

stop() {
    kill "${PIDS[-1]}" 2>/dev/null || true
    wait "${PIDS[-1]}" 2>/dev/null || true
}

publish() { # publish URL COUNT SECONDS
    "$AVLOAD" pub --url "$1" -n "$2" -t "$3" --h264 "$CLIP" --audio >"$WORK/pub.json" 2>/dev/null &
    PUBLISHER=$!
    PIDS+=("$PUBLISHER")
    sleep 3
}

unpublish() {
    kill "$PUBLISHER" 2>/dev/null || true
    wait "$PUBLISHER" 2>/dev/null || true
    unset 'PIDS[-1]'
}

view() { # view NAME URL COUNT [more options]
    local name=$1 url=$2 count=$3
    shift 3
    printf '%-26s ' "$name"
    "$AVLOAD" sub --url "$url" -n "$count" -t 10 --pid "$SERVER" "$@" 2>/dev/null
}

fanout() {
    local viewers=${VIEWERS:-1000} window
    nginx_rtmp
    publish "rtmp://127.0.0.1:19350/live/a_%d" 1 60
    view "nginx-rtmp" rtmp://127.0.0.1:19350/live/a_0 "$viewers"
    unpublish
    stop
    for window in 40 350; do
        gateway "$window"
        publish "rtmp://127.0.0.1:11935/live/a_%d" 1 120
        view "HTTP-FLV $window ms" http://127.0.0.1:18080/live/a_0.flv "$viewers"
        view "WebSocket-FLV $window ms" ws://127.0.0.1:18080/live/a_0.flv "$viewers"
        view "RTMP $window ms" rtmp://127.0.0.1:11935/live/a_0 "$viewers"
        unpublish
        stop
    done
}

one() {
    gateway 40
    publish "rtmp://127.0.0.1:11935/live/a_%d" 1 60
    view "one HTTP-FLV viewer" http://127.0.0.1:18080/live/a_0.flv 1
    view "one RTMP viewer" rtmp://127.0.0.1:11935/live/a_0 1
    unpublish
    stop
}

stall() {
    gateway 40
    publish "rtmp://127.0.0.1:11935/live/a_%d" 1 90
    view "900 viewers" http://127.0.0.1:18080/live/a_0.flv 900
    view "900, 100 more stalled" http://127.0.0.1:18080/live/a_0.flv 1000 --stall 100
    unpublish
    stop
}

streams() {
    nginx_rtmp
    publish "rtmp://127.0.0.1:19350/live/a_%d" 200 60
    view "nginx-rtmp 200 x 5" "rtmp://127.0.0.1:19350/live/a_%d" 1000 --streams 200
    unpublish
    stop
    gateway 40
    publish "rtmp://127.0.0.1:11935/live/a_%d" 200 90
    view "RTMP 200 x 5" "rtmp://127.0.0.1:11935/live/a_%d" 1000 --streams 200
    view "HTTP-FLV 200 x 5" "http://127.0.0.1:18080/live/a_%d.flv" 1000 --streams 200
    unpublish
    stop
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
    gateway 40
    open_ports 300 0
    cameras "300 UDP, a port each" 31000 --ports "$WORK/ports.txt"
    stop
    gateway 40
    open_ports 300 1
    cameras "300 TCP, a port each" 31000 --ports "$WORK/ports.txt" --tcp
    stop
    gateway 40 ", rtp_single_port: 31998"
    for i in $(seq 300); do
        curl -fs http://127.0.0.1:18083/api/ctrl/start_rtp_pub \
            -d "{\"stream_name\":\"cam$i\",\"port\":31998,\"ssrc\":\"$i\"}" >/dev/null
    done
    cameras "300 UDP, one port" 31998 --port-step 0
    stop
}

signalling() {
    gateway 40
    "$BINARY" simulate --server 127.0.0.1:15060 --count 10000 --duration 60 --keepalive 10 --signalling-only
    printf '%-26s ' gateway
    awk '{print "cpu_s", ($14 + $15) / 100}' "/proc/$SERVER/stat"
    grep VmRSS "/proc/$SERVER/status"
    stop
}

for scenario in "$@"; do
    "$scenario"
done

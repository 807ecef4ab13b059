#!/usr/bin/env bash
# Measures the release binary on loopback, and nginx-rtmp beside it. Usage: scripts/bench.sh SCENARIO…
#   fanout       one stream to 1,000 viewers (or VIEWERS) over HTTP-FLV, WebSocket-FLV and RTMP, next to nginx-rtmp
#   one          one viewer's lag
#   stall        1,000 viewers of which 100 never read
#   streams      200 streams x 5 viewers
#   hundred      100 streams x 10 viewers, next to nginx-rtmp
#   rtsp         500 readers over RTSP (TCP) of one stream, and 50 streams x 10, next to HTTP-FLV
#   publish      20 and 100 publishers without a viewer, next to nginx-rtmp
#   ingest       300 cameras: UDP ports, one UDP port, TCP ports
#   signalling   10,000 devices register and send six keepalives in a minute
# AVLOAD names the load generator, CLIP an H.264 clip of 2 Mbit/s; nginx-rtmp is Debian's libnginx-mod-rtmp.
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

stop() {
    kill "${PIDS[-1]}" 2>/dev/null || true
    wait "${PIDS[-1]}" 2>/dev/null || true
}

start_publishers() { # start_publishers URL COUNT SECONDS
    "$AVLOAD" pub --url "$1" -n "$2" -t "$3" --h264 "$CLIP" --audio >"$WORK/pub.json" 2>/dev/null &
    PUBLISHER=$!
    PIDS+=("$PUBLISHER")
    sleep 3
}

stop_publishers() {
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
    stop_publishers
    stop
    for window in "$WINDOW" 350; do
        gateway "$window"
        start_publishers "rtmp://127.0.0.1:11935/live/a_%d" 1 120
        view "HTTP-FLV $window ms" http://127.0.0.1:18080/live/a_0.flv "$viewers"
        view "WebSocket-FLV $window ms" ws://127.0.0.1:18080/live/a_0.flv "$viewers"
        view "RTMP $window ms" rtmp://127.0.0.1:11935/live/a_0 "$viewers"
        stop_publishers
        stop
    done
}

one() {
    gateway "$WINDOW"
    start_publishers "rtmp://127.0.0.1:11935/live/a_%d" 1 60
    view "one HTTP-FLV viewer" http://127.0.0.1:18080/live/a_0.flv 1
    view "one RTMP viewer" rtmp://127.0.0.1:11935/live/a_0 1
    stop_publishers
    stop
}

stall() {
    gateway "$WINDOW"
    start_publishers "rtmp://127.0.0.1:11935/live/a_%d" 1 90
    view "900 viewers" http://127.0.0.1:18080/live/a_0.flv 900
    view "900, 100 more stalled" http://127.0.0.1:18080/live/a_0.flv 1000 --stall 100
    stop_publishers
    stop
}

many() { # many STREAMS VIEWERS_EACH
    local streams=$1 viewers=$(($1 * $2))
    nginx_rtmp
    start_publishers "rtmp://127.0.0.1:19350/live/a_%d" "$streams" 60
    view "nginx-rtmp $1 x $2" "rtmp://127.0.0.1:19350/live/a_%d" "$viewers" --streams "$streams"
    stop_publishers
    stop
    gateway "$WINDOW"
    start_publishers "rtmp://127.0.0.1:11935/live/a_%d" "$streams" 90
    view "RTMP $1 x $2" "rtmp://127.0.0.1:11935/live/a_%d" "$viewers" --streams "$streams"
    view "HTTP-FLV $1 x $2" "http://127.0.0.1:18080/live/a_%d.flv" "$viewers" --streams "$streams"
    stop_publishers
    stop
}

rtsp() {
    gateway "$WINDOW"
    start_publishers "rtmp://127.0.0.1:11935/live/a_%d" 1 120
    view "HTTP-FLV 1 x 500" http://127.0.0.1:18080/live/a_0.flv 500
    view "RTSP 1 x 500" rtsp://127.0.0.1:15544/live/a_0 500
    view "HTTP-FLV 1 x 500" http://127.0.0.1:18080/live/a_0.flv 500
    view "RTSP 1 x 500" rtsp://127.0.0.1:15544/live/a_0 500
    stop_publishers
    start_publishers "rtmp://127.0.0.1:11935/live/a_%d" 50 120
    view "HTTP-FLV 50 x 10" "http://127.0.0.1:18080/live/a_%d.flv" 500 --streams 50
    view "RTSP 50 x 10" "rtsp://127.0.0.1:15544/live/a_%d" 500 --streams 50
    view "HTTP-FLV 50 x 10" "http://127.0.0.1:18080/live/a_%d.flv" 500 --streams 50
    view "RTSP 50 x 10" "rtsp://127.0.0.1:15544/live/a_%d" 500 --streams 50
    stop_publishers
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

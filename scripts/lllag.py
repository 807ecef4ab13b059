#!/usr/bin/env python3
"""A Low-Latency HLS client that measures lag. Usage: lllag.py http://127.0.0.1:8080/hls/cam/ll.m3u8 [SECONDS]

It follows the playlist by blocking reloads and asks for each part as soon as it is hinted, on a connection of its own, as players
do. avload's publishers stamp every picture with the time it was sent: the part is searched for the stamps.

  part_lag_ms_*        from the send of a part's first picture to the part's last byte here: the part's own length is in it
  newest_lag_ms_*      the same of its last picture: what the server and the way add
  playlist_lag_ms_*    from the send of the last picture of the part that a reload brings to the playlist's last byte
  glass_to_glass_s_*   part_lag and PART-HOLD-BACK: of a player that keeps the distance the playlist asks for and came in at the
                       worst moment, just before the next part
  unhinted             parts that were asked for only after the playlist listed them
  slow_reloads         reloads that came more than half a part after the part they waited for was complete
"""
import collections
import http.client
import json
import queue
import re
import sys
import threading
import time
import urllib.parse

STAMP = b"avload-stamp-01:"


class Connection:
    """Keeps one connection; the server may close it between two answers."""

    def __init__(self, url):
        self.http = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=30)

    def get(self, target):
        for attempt in (1, 2):
            try:
                self.http.request("GET", target)
                answer = self.http.getresponse()
                return answer.status, answer.read(), time.monotonic_ns()
            except (http.client.RemoteDisconnected, ConnectionError):
                self.http.close()
                if attempt == 2:
                    raise


def sent_times(body):
    """When the first and the last picture in it were sent, of the same clock as time.monotonic_ns()."""
    at = [found for found in (body.find(STAMP), body.rfind(STAMP)) if found >= 0]
    return [int(body[a + 16 : a + 32], 16) for a in at]


def attribute(text, tag, name):
    found = re.search(rf'^#EXT-X-{tag}:(?:.*,)?{name}="?([^",\r\n]+)', text, re.MULTILINE)
    return found and found.group(1)


def percentile(values, part):
    return sorted(values)[int((len(values) - 1) * part)] if values else -1


class Client:
    def __init__(self, url):
        self.url = urllib.parse.urlsplit(url)
        self.parts = queue.Queue()
        self.known = set()
        self.arrived = {}  # URI: when its last byte came, and when its last picture was sent
        self.lags = collections.defaultdict(list)
        self.count = collections.Counter()
        self.faults = []

    def resolve(self, reference):
        return urllib.parse.urljoin(self.url.path, reference)

    def want(self, reference, is_hint):
        if reference in self.known:
            return
        self.known.add(reference)
        self.count["hinted" if is_hint else "unhinted"] += 1
        self.parts.put(reference)

    def fetch_parts(self):
        connection = Connection(self.url)
        while (reference := self.parts.get()) is not None:
            try:
                status, body, now = connection.get(self.resolve(reference))
            except OSError as error:
                status, body, now = str(error), b"", 0
            sent = sent_times(body)
            if status != 200:
                self.faults.append(f"{reference}: {status}")
            elif not sent:
                self.count["without_picture"] += 1
            else:
                self.arrived[reference] = (now, sent[-1])
                self.lags["part"].append((now - sent[0]) / 1e6)
                self.lags["newest"].append((now - sent[-1]) / 1e6)

    @staticmethod
    def next_part(text):
        """The media sequence number and the part that are to come, and how many segments are complete."""
        first = int(re.search(r"^#EXT-X-MEDIA-SEQUENCE:(\d+)", text, re.MULTILINE).group(1))
        lines = text.splitlines()
        ends = [n for n, line in enumerate(lines) if line and not line.startswith("#")]
        open_parts = [line for line in lines[(ends[-1] + 1 if ends else 0) :] if line.startswith("#EXT-X-PART:")]
        return first + len(ends), len(open_parts)

    def follow(self, seconds):
        connection = Connection(self.url)
        status, body, _ = connection.get(self.url.path)
        if status != 200:
            sys.exit(f"lllag: {self.url.geturl()}: {status} {body.decode(errors='replace')}")
        text = body.decode()
        # What is listed already is not live any more.
        self.known.update(re.findall(r'^#EXT-X-PART:.*URI="([^"]+)"', text, re.MULTILINE))
        fetcher = threading.Thread(target=self.fetch_parts, daemon=True)
        fetcher.start()
        hold_back = float(attribute(text, "SERVER-CONTROL", "PART-HOLD-BACK"))
        target = float(attribute(text, "PART-INF", "PART-TARGET"))
        end = time.monotonic() + seconds
        waits = []  # newest part listed by a reload, and when the reload was answered
        while time.monotonic() < end:
            if hint := attribute(text, "PRELOAD-HINT", "URI"):
                self.want(hint, True)
            segment, part = self.next_part(text)
            status, body, now = connection.get(f"{self.url.path}?_HLS_msn={segment}&_HLS_part={part}")
            if status != 200:
                self.faults.append(f"reload {segment}.{part}: {status}")
                time.sleep(target)
                continue
            self.count["reloads"] += 1
            text = body.decode()
            if "#EXT-X-ENDLIST" in text:
                self.faults.append("the stream has ended")
                break
            if self.next_part(text) <= (segment, part):
                self.faults.append(f"reload {segment}.{part} brought nothing new")
            listed = re.findall(r'^#EXT-X-PART:.*URI="([^"]+)"', text, re.MULTILINE)
            for reference in listed:
                self.want(reference, False)
            if listed:
                waits.append((listed[-1], now))
        self.parts.put(None)
        fetcher.join(5)
        for reference, now in waits:
            if reference in self.arrived:
                self.lags["playlist"].append((now - self.arrived[reference][1]) / 1e6)
        return hold_back, target


def main():
    client = Client(sys.argv[1])
    hold_back, target = client.follow(float(sys.argv[2]) if len(sys.argv) > 2 else 20)
    result = {"mode": "llhls", "parts": len(client.lags["part"]), "part_target_s": target, "part_hold_back_s": hold_back}
    for name in ("reloads", "hinted", "unhinted", "without_picture"):
        result[name] = client.count[name]
    result["slow_reloads"] = sum(lag > 500 * target for lag in client.lags["playlist"])
    result["failures"] = len(client.faults)
    for name in ("part", "newest", "playlist"):
        for part in (50, 99):
            result[f"{name}_lag_ms_p{part}"] = round(percentile(client.lags[name], part / 100), 1)
    for part in (50, 99):
        lag = percentile(client.lags["part"], part / 100)
        result[f"glass_to_glass_s_p{part}"] = round(hold_back + lag / 1000, 3) if lag >= 0 else -1
    print(json.dumps(result))
    for fault in client.faults[:5]:
        print("lllag:", fault, file=sys.stderr)


main()

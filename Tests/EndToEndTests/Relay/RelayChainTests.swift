import Foundation
import Gateway
import Testing

/// Two gateways in a chain: what is published to the first is watched at the second.
@Suite(
    .timeLimit(.minutes(3)),
    .enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed")
)
struct RelayChainTests {
    static let clip = MatrixClip(video: .h264B, audio: .aac)

    /// How the second gets a stream of the first.
    enum Way: CaseIterable, Sendable {
        case staticPush, pushRule, staticPull, pullRule, pullRuleOverHTTP, apiPull, apiPullOverHTTP,
            apiPullOverWebSocket

        var isPush: Bool { self == .staticPush || self == .pushRule }
    }

    private static func push(_ way: Way, to port: Int) -> @Sendable (inout GatewayConfiguration) -> Void {
        {
            if way == .staticPush {
                $0.relayPush.enable = true
                $0.relayPush.addrList = ["127.0.0.1:\(port)"]
            } else {
                var rule = RelayPushRule()
                rule.streamName = "m*"
                rule.url = RelayTemplate("rtmp://127.0.0.1:\(port)/{app}/{stream}")
                $0.relay.pushes = [rule]
            }
        }
    }

    private static func pull(_ way: Way, from origin: Site) -> @Sendable (inout GatewayConfiguration) -> Void {
        {
            $0.relay.pullIdleMs = 0
            $0.relay.retryMinMs = 100
            var rule = RelayPullRule()
            rule.streamName = "*"
            switch way {
            case .staticPull:
                $0.staticRelayPull.enable = true
                $0.staticRelayPull.addr = "127.0.0.1:\(origin.rtmp)"
                return
            case .pullRule: rule.url = RelayTemplate("rtmp://127.0.0.1:\(origin.rtmp)/{app}/{stream}")
            case .pullRuleOverHTTP: rule.url = RelayTemplate("http://127.0.0.1:\(origin.http)/{app}/{stream}.flv")
            default: return
            }
            $0.relay.pulls = [rule]
        }
    }

    @Test("A chain of two gateways changes no frame, however the second gets the stream", arguments: Way.allCases)
    func relaysEveryFrame(way: Way) async throws {
        if way.isPush {
            try await Site.run { edge in
                try await Site.run(Self.push(way, to: edge.rtmp)) { origin in
                    try await Self.watch(edge, published: origin) {}
                }
            }
        } else {
            try await Site.run { origin in
                try await Site.run(Self.pull(way, from: origin)) { edge in
                    let url: String? =
                        switch way {
                        case .apiPull: "rtmp://127.0.0.1:\(origin.rtmp)/live/m"
                        case .apiPullOverHTTP: "http://127.0.0.1:\(origin.http)/live/m.flv"
                        case .apiPullOverWebSocket: "ws://127.0.0.1:\(origin.http)/live/m.flv"
                        default: nil
                        }
                    if let url {
                        let body = #"{"url":"\#(url)","stream_name":"m","pull_retry_num":-1}"#
                        let answer = try await edge.api.post("/api/ctrl/start_relay_pull", body)
                        #expect(answer.code == 0, "\(answer.text)")
                        #expect(answer.string("stream_name") == "m")
                        #expect(answer.string("session_id")?.isEmpty == false)
                    }
                    try await Self.watch(edge, published: origin) {
                        // The pull waits at the origin as a viewer does.
                        try await wait(for: "the pull") { try await origin.viewers(of: "m").count == 1 }
                    }
                    if url != nil {
                        #expect(try await edge.api.get("/api/ctrl/stop_relay_pull?stream_name=m").code == 0)
                    }
                    try await Self.awaitEnd(of: edge, at: origin)
                }
            }
        }
    }

    /// Says what either side knows when the end takes long.
    private static func awaitEnd(of edge: Site, at origin: Site) async throws {
        do {
            try await wait(for: "the end of the pull") { try await origin.api.streams().isEmpty }
        } catch let never as NeverHappened {
            print("origin:", try await origin.api.get("/api/stat/all_group").text, origin.log.lines.suffix(8))
            print("edge:", try await edge.api.get("/api/stat/all_group").text, edge.log.lines.suffix(8))
            print("relays:", try await edge.api.get("/api/stat/relays").text)
            throw never
        }
    }

    private static func watch(
        _ edge: Site,
        published origin: Site,
        ready: @Sendable () async throws -> Void
    ) async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await clip.made()
        try await Turnstile.realTime.pass {
            let readers: [MatrixReader] = [.ffmpegRTMP, .webSocket]
            let running = try readers.map { try $0.start(clip, rtmp: edge.rtmp, http: edge.http, stream: "m") }
            try await wait(for: "the viewers") { try await edge.viewers(of: "m").count == readers.count }
            try await ready()
            let publisher = try ffmpeg.publishing(
                made.path,
                to: "rtmp://127.0.0.1:\(origin.rtmp)/live/m",
                loops: false
            )
            #expect(try await publisher.exit(limit: .seconds(20)) == 0)
            try await edge.endViewers(of: "m")
            for (reader, running) in zip(readers, running) {
                let faults = try await reader.judge(running, clip, made.recording, strict: true)
                #expect(faults == [], "\(reader.rawValue)")
            }
        }
    }

    @Test("start_relay pulls here and pushes there; start_relay_from_stream pushes what is here; both stop")
    func relaysByOrder() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await Self.clip.made()
        try await Site.run { origin in
            try await Site.run { edge in
                try await Site.run { between in
                    let publisher = try ffmpeg.publishing(made.path, to: "rtmp://127.0.0.1:\(origin.rtmp)/live/m")
                    try await wait(for: "the publisher") { try await origin.input(of: "m") != nil }
                    let order = """
                        {"pull_url":"rtmp://127.0.0.1:\(origin.rtmp)/live/m",
                        "push_url":"rtmp://127.0.0.1:\(edge.rtmp)/live/pushed","retry_num":-1}
                        """
                    let watcher = Watcher("pushed", port: edge.http)
                    let answer = try await between.api.post("/api/ctrl/start_relay", order)
                    #expect(answer.code == 0, "\(answer.text)")
                    #expect(answer.string("stream_name") == "m")
                    try await watcher.pictures(30)
                    #expect(try await between.api.post("/api/ctrl/start_relay", order).text == answer.text)
                    let relays = try await between.api.get("/api/stat/relays").data["relays"] as? [[String: Any]] ?? []
                    #expect(relays.count == 2)
                    #expect(relays.allSatisfy { $0["state"] as? String == "running" }, "\(relays)")

                    let further = """
                        {"stream_name":"m","push_url":"rtmp://127.0.0.1:\(edge.rtmp)/live/further","retry_num":0}
                        """
                    let second = Watcher("further", port: edge.http)
                    let more = try await between.api.post("/api/ctrl/start_relay_from_stream", further)
                    #expect(more.code == 0, "\(more.text)")
                    try await second.pictures(30)

                    let stopped = try await between.api.get("/api/ctrl/stop_relay?stream_name=m")
                    #expect(stopped.code == 0, "\(stopped.text)")
                    try await wait(for: "the end of the push") { try await edge.input(of: "pushed") == nil }
                    try await wait(for: "the end of the pull") { try await origin.viewers(of: "m").isEmpty }
                    for watcher in [watcher, second] {
                        #expect(watcher.seen.faults == [])
                        watcher.leave()
                    }
                    publisher.kill(SIGKILL)
                    let missing = try await between.api.get("/api/ctrl/stop_relay?stream_name=nobody")
                    #expect(missing.code == 1001)
                }
            }
        }
    }

    @Test("A relay that cannot connect says why in stat, and the retries of the API are counted")
    func saysWhyARelayFails() async throws {
        let port = try await freePort()
        try await Site.run {
            $0.relay.retryMinMs = 100
        } _: { site in
            let body = #"{"url":"rtmp://127.0.0.1:\#(port)/live/m?secret=x","stream_name":"m","pull_retry_num":1}"#
            #expect(try await site.api.post("/api/ctrl/start_relay_pull", body).code == 0)
            try await wait(for: "two attempts, and why they failed") {
                let relays = try await site.api.get("/api/stat/relays").data["relays"] as? [[String: Any]] ?? []
                guard let relay = relays.first, relay["state"] as? String == "ended" else { return false }
                return (relay["attempts"] as? NSNumber)?.intValue == 2
                    && (relay["last_error"] as? String ?? "").contains("refused")
                    && !(relay["url"] as? String ?? "").contains("secret=x")
            }
            try await wait(for: "the end of the relay in the log") {
                site.log.lines.contains { $0.contains("\(port)") && $0.contains("refused") }
            }
            #expect(!site.log.lines.contains { $0.contains("secret=x") })
        }
    }
}

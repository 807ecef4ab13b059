internal import Hub

/// Which streams are pulled and pushed because the configuration says so.
struct RelayRules: Sendable {
    struct Pull: Hashable, Sendable {
        let pattern: StreamPattern
        let url: RelayTemplate
        let isOnDemand: Bool
        /// 0 over TCP, 1 over UDP.
        var rtspMode = 0
    }

    struct Push: Hashable, Sendable {
        let pattern: StreamPattern
        let url: RelayTemplate
        /// lal's `relay_push`: RTMP and RTSP publishers only, with the publisher's own query.
        let isLals: Bool
    }

    let pulls: [Pull]
    let pushes: [Push]

    init(pulls: [Pull] = [], pushes: [Push] = []) {
        self.pulls = pulls
        self.pushes = pushes
    }

    init(_ configuration: GatewayConfiguration) {
        var pulls = configuration.relay.pulls.map { rule in
            Pull(
                pattern: StreamPattern(rule.streamName),
                url: rule.url,
                isOnDemand: rule.onDemand,
                rtspMode: rule.rtspMode
            )
        }
        let origin = configuration.staticRelayPull
        if origin.enable, !origin.addr.isEmpty {
            let url = RelayTemplate("rtmp://\(origin.addr)/{app}/{stream}")
            pulls.append(Pull(pattern: .all, url: url, isOnDemand: true))
        }
        self.pulls = pulls
        let own = configuration.relay.pushes.map { rule in
            Push(pattern: StreamPattern(rule.streamName), url: rule.url, isLals: false)
        }
        let targets = configuration.relayPush.enable ? configuration.relayPush.addrList : []
        pushes =
            own
            + targets.map { address in
                Push(pattern: .all, url: RelayTemplate("rtmp://\(address)/{app}/{stream}"), isLals: true)
            }
    }

    var isEmpty: Bool { pulls.isEmpty && pushes.isEmpty }

    /// The first that fits.
    func pull(of stream: String) -> Pull? {
        pulls.first { $0.isOnDemand && $0.pattern.matches(stream) }
    }

    /// All that fit, with their place in the list.
    func pushes(of stream: String, publisher: SessionInfo) -> [(index: Int, push: Push)] {
        let isDirect = publisher.role == .publisher && (publisher.kind == .rtmp || publisher.kind == .rtspPublisher)
        return pushes.enumerated().compactMap { index, push in
            push.pattern.matches(stream) && (isDirect || !push.isLals) ? (index, push) : nil
        }
    }
}

/// Names of streams: one, those with a beginning (`cam*`), or all (`*`).
struct StreamPattern: Hashable, Sendable {
    let text: String

    init(_ text: String) {
        self.text = text
    }

    static let all = StreamPattern("*")

    /// Whether it names one stream.
    var isExact: Bool { !text.hasSuffix("*") }

    func matches(_ stream: String) -> Bool {
        isExact ? stream == text : stream.hasPrefix(text.dropLast())
    }
}

/// A URL with places for the stream's own names: `rtmp://host/{app}/{stream}`. It never prints its secrets.
package struct RelayTemplate: Hashable, Sendable {
    let text: String

    package init(_ text: String) {
        self.text = text
    }

    /// Nil when the outcome is no URL, as for a stream with blanks or % in its name.
    /// - Parameter query: put behind what the template has.
    func url(app: String, stream: String, query: String = "") -> RelayURL? {
        // Names come from viewers, and are not to change the meaning of the other server's URL.
        guard !stream.contains(where: { "%#?&@".contains($0) }), !app.contains(where: { "%#?&@".contains($0) }) else {
            return nil
        }
        // Streams of cameras and of the API have no application of their own.
        let named = text.replacing("{app}", with: app.isEmpty ? "live" : app).replacing("{stream}", with: stream)
        guard !query.isEmpty else { return RelayURL(named) }
        return RelayURL(named + (named.contains("?") ? "&" : "?") + query)
    }
}

extension RelayTemplate: Codable, CustomStringConvertible, CustomReflectable {
    package init(from decoder: any Decoder) throws {
        text = try decoder.singleValueContainer().decode(String.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    package var description: String { URLText.redacted(text) }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

internal import Hub
internal import Transport

/// What one relay is to do.
struct RelayOrder: Hashable, Sendable {
    enum Direction: String, Hashable, Sendable {
        case pull
        case push
    }

    /// Who wants it.
    enum Origin: Hashable, Sendable {
        /// start_relay_pull
        case api
        /// start_relay and start_relay_from_stream
        case task
        /// A pull that the configuration makes when a viewer comes.
        case demand
        /// A pull that the configuration keeps always.
        case always
        /// A push of the configuration, by its place in the list.
        case rule(Int)

        var name: String {
            switch self {
            case .api: "api"
            case .task: "task"
            case .demand: "on_demand"
            case .always, .rule: "configuration"
            }
        }
    }

    let direction: Direction
    let origin: Origin
    /// Of ours.
    let stream: String
    let app: String
    let url: RelayURL
    /// Stays the same over all attempts.
    let sessionID: String
    /// Of start_relay: pull and push have the same.
    var task: Int?
    var options = RelayOptions()
    var policy = RelayMachine.Policy()

    /// The kind of its sessions.
    var kind: SessionKind { Self.kind(direction, url) }

    static func kind(_ direction: Direction, _ url: RelayURL) -> SessionKind {
        switch (direction, url.form) {
        case (.pull, .rtmp): .rtmpPull
        case (.pull, .flv): .flvPull
        case (.pull, .rtsp): .rtspPull
        case (.push, .rtsp): .rtspPush
        case (.push, _): .rtmpPush
        }
    }
}

/// What a relay has to know of its stream.
struct RelayedStream: Hashable, Sendable {
    var app = ""
    var publisher: SessionInfo?
    /// Viewers and pushes.
    var viewers = 0
}

package struct RelayPushSection: Codable, Hashable, Sendable {
    package var enable = false
    /// `host:port` of each server that gets every stream of an RTMP publisher.
    package var addrList: [String] = []

    package init() {}
}

package struct StaticRelayPullSection: Codable, Hashable, Sendable {
    package var enable = false
    /// `host:port` of the origin.
    package var addr = ""

    package init() {}
}

/// Relays: how all of them behave, and which streams are pulled and pushed.
package struct RelaySection: Codable, Hashable, Sendable {
    /// From the first packet until the other server accepts; 0 = no limit. Calls of the API name their own.
    package var timeoutMs = 10_000
    /// A pull that gets nothing for this long is over.
    package var silenceMs = 30_000
    /// The pause after a failure; each failure doubles it.
    package var retryMinMs = 1_000
    package var retryMaxMs = 30_000
    /// Whoever ran for so long begins with the short pause again.
    package var retryResetMs = 30_000
    /// How long a pull on demand goes on without a viewer; 0 = it ends with the last one, as lal's.
    package var pullIdleMs = 5_000
    /// Whether servers of rtmps, https and wss must have a certificate that the system trusts.
    package var verifyCertificates = true
    package var pulls: [RelayPullRule] = []
    package var pushes: [RelayPushRule] = []

    package init() {}
}

/// Streams that come from another server.
package struct RelayPullRule: Codable, Hashable, Sendable {
    /// A stream's name, `beginning*`, or `*`.
    package var streamName = ""
    /// rtmp, rtmps, rtsp, rtsps, or http, https, ws, wss with .flv; `{app}` and `{stream}` are replaced. May hold secrets.
    package var url = RelayTemplate("")
    /// False: always, which needs a whole stream name. True: while somebody watches.
    package var onDemand = true
    /// RTSP: 0 over TCP, 1 over UDP where the other server does that.
    package var rtspMode = 0

    package init() {}
}

/// Streams that go to another server.
package struct RelayPushRule: Codable, Hashable, Sendable {
    /// A stream's name, `beginning*`, or `*`.
    package var streamName = ""
    /// rtmp, rtmps, rtsp or rtsps; `{app}` and `{stream}` are replaced. May hold secrets.
    package var url = RelayTemplate("")

    package init() {}
}

/// How publishers of one name get along.
package struct PublishSection: Codable, Hashable, Sendable {
    package enum Conflict: String, ConfigurationChoice {
        case reject
        case takeOver = "take_over"
    }

    /// A second publisher of a stream: `reject` it, or let it `take_over`.
    package var onConflict = Conflict.reject
    /// How long viewers stay for a publisher that left; 0 = they end with it.
    package var graceMs = 120_000

    package init() {}
}
